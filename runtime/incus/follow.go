package incus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/guest"
)

// follower follows one job in its guest, over as many connections as it takes.
type follower struct {
	x    *Executor
	task runtime.Task
	name string

	// seen is how much of the output has arrived, and from where a lost
	// connection is taken up.
	seen   guest.Offsets
	began  bool
	status *guest.Status
	done   bool
	// phase is the open phase and since when.
	phase event.Phase
	since time.Time
}

// run runs the command and returns how it ended. When ctx ends, the command is
// asked to stop and its end is waited for.
func (f *follower) run(ctx context.Context) (guest.Status, error) {
	j := f.task.Job()
	start := guestStart(j, f.task.Node.GuestCommand.Command)
	f.seen = start.Follow
	// A workspace is made first, by the guest, which says when it is there.
	if j.Job.WritableWorkspace {
		f.enter(event.Workspace)
	} else {
		f.enter(event.Command)
	}
	defer f.enter("")
	limit := time.NewTimer(timeoutOf(j) + backstop)
	defer limit.Stop()

	verb, input := "run", any(start)
	lost := time.Now()
	for {
		before := f.seen
		err := f.connection(ctx, limit.C, verb, input)
		switch {
		case f.done:
			return *f.status, nil
		case errors.Is(err, errStuck):
			return guest.Status{}, err
		case errors.As(err, new(*lieError)):
			return guest.Status{}, err
		}
		if f.seen != before {
			lost = time.Now()
		}
		if time.Since(lost) > lostLimit {
			return guest.Status{}, fmt.Errorf("lost the connection to guest %s: %w", f.name, err)
		}
		if ctx.Err() != nil && f.status == nil && err != nil && time.Since(lost) > 5*time.Second {
			return guest.Status{}, context.Cause(ctx)
		}
		time.Sleep(lostPause)
		// Whether the command was started is not known; follow tells, and
		// starts nothing.
		verb, input = "follow", f.seen
	}
}

// errStuck means that the guest outlived its own time limit by far.
var errStuck = errors.New("the guest did not end the command in time: its instance is stopped")

// lieError means that a guest broke the rules.
type lieError struct{ err error }

func (e *lieError) Error() string { return "the guest does not keep to the protocol: " + e.err.Error() }
func (e *lieError) Unwrap() error { return e.err }

// connection follows over one exec until it ends.
func (f *follower) connection(ctx context.Context, limit <-chan time.Time, verb string, input any) error {
	r, w := io.Pipe()
	c, err := f.x.exec(f.name, verb, input, w)
	if err != nil {
		r.Close()
		return fmt.Errorf("start the guest program: %w", err)
	}
	read := make(chan error, 1)
	go func() {
		err := f.frames(r)
		// A guest that goes on after its end, or lies, is not listened to.
		r.CloseWithError(io.ErrClosedPipe)
		read <- err
	}()
	go func() { <-c.done; w.Close() }()
	stop := ctx.Done()
	for {
		select {
		case err := <-read:
			if f.done || errors.As(err, new(*lieError)) {
				return err
			}
			// The program's own words, where it ended by itself.
			if waited := c.op.Wait(); waited == nil && c.stderr.Len() > 0 {
				return fmt.Errorf("%s", c.stderr.String())
			}
			return err
		case <-stop:
			stop = nil
			close(c.stop)
		case <-limit:
			return errStuck
		}
	}
}

// frames takes the guest's frames until its stream ends.
func (f *follower) frames(r io.Reader) error {
	buf := make([]byte, guest.MaxPayload)
	var files *artifactReader
	defer func() {
		if files != nil {
			files.close()
		}
	}()
	for {
		kind, payload, err := guest.ReadFrame(r, buf)
		switch {
		case errors.Is(err, guest.ErrFrame):
			return &lieError{err}
		case err != nil:
			return err
		}
		switch kind {
		case guest.Started:
			if !f.began {
				f.began = true
				f.enter(event.Command)
			}
		case guest.Stdout:
			f.task.Job().Logs.Stdout.Write(payload)
			f.seen.Stdout += int64(len(payload))
		case guest.Stderr:
			f.task.Job().Logs.Stderr.Write(payload)
			f.seen.Stderr += int64(len(payload))
		case guest.Ended:
			if err := f.ended(payload); err != nil {
				return err
			}
		case guest.Artifacts:
			if f.status == nil {
				return &lieError{errors.New("artifacts before the end")}
			}
			if files == nil {
				files = newArtifactReader(f.task)
			}
			files.write(payload)
		case guest.Done:
			if f.status == nil {
				return &lieError{errors.New("done before the end")}
			}
			if files != nil {
				err := files.close()
				files = nil
				if err != nil {
					return err
				}
			}
			f.done = true
			return nil
		}
	}
}

// maxStatus is the largest status that is read, in bytes.
const maxStatus = 64 << 10

func (f *follower) ended(payload []byte) error {
	s := new(guest.Status)
	if len(payload) > maxStatus {
		return &lieError{errors.New("status too large")}
	}
	if err := json.Unmarshal(payload, s); err != nil {
		return &lieError{fmt.Errorf("status: %w", err)}
	}
	f.status = s
	if f.seen.Artifacts {
		f.enter(event.Artifacts)
	} else {
		f.enter("")
	}
	return nil
}

// enter closes the open phase and opens another.
func (f *follower) enter(p event.Phase) {
	if p == f.phase {
		return
	}
	id := f.task.Job().Job.ID
	if f.phase != "" {
		f.task.Emit(event.Event{PhaseFinished: &event.PhaseFinished{Phase: f.phase, Job: id,
			DurationMS: time.Since(f.since).Milliseconds()}})
	}
	f.phase, f.since = p, time.Now()
	if p != "" {
		f.task.Emit(event.Event{PhaseStarted: &event.PhaseStarted{Phase: p, Job: id}})
	}
}
