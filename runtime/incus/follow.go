package incus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/artifact"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/runtime/process"
)

// How long a guest may take, beside its command's own time. A guest that takes
// longer is stuck, or wants its host to be.
const (
	// beginLimit is for its program's start and a writable workspace's copy.
	beginLimit = 10 * time.Minute
	// endLimit is for stopping the command when its time is over.
	endLimit = process.Grace + 20*time.Second
	// artifactsLimit is for sending them.
	artifactsLimit = 10 * time.Minute
	// stopLimit is for all that follows a cancel.
	stopLimit = process.Grace + 10*time.Second
	// lostLimit is how long a lost connection is tried again without any
	// progress.
	lostLimit = 2 * time.Minute
	lostPause = 200 * time.Millisecond
)

// errStuck means that a guest took longer than it may.
var errStuck = errors.New("the guest did not end the job in time")

// finalError is one that another connection would not mend.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// lie is the error for a guest that breaks the rules.
func lie(format string, args ...any) error {
	return &finalError{fmt.Errorf("the guest does not keep to the protocol: "+format, args...)}
}

// follower follows one job in its guest, over as many connections as it takes.
type follower struct {
	x    *Executor
	task runtime.Task
	name string
	// start is what each connection begins with; its offsets are of what has
	// arrived. asked is set once the guest may know of it.
	start  guest.Start
	asked  bool
	began  bool
	status *guest.Status
	store  *artifact.Store
	// phase is the open phase and since when.
	phase event.Phase
	since time.Time

	// limit ends the following; once the job is to stop it is not put off.
	mu       sync.Mutex
	limit    *time.Timer
	stopping bool
}

// run runs the command and returns how it ended. When ctx ends, the command is
// asked to stop and its end is waited for.
func (f *follower) run(ctx context.Context) (guest.Status, error) {
	whole, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	f.limit = time.AfterFunc(beginLimit, func() { cancel(errStuck) })
	defer f.limit.Stop()
	// A workspace is made first, by the guest, which says when it is there.
	if f.start.Request.Writable {
		f.enter(event.Workspace)
	} else {
		f.enter(event.Command)
	}
	defer f.enter("")
	defer f.closeStore()
	lost := time.Now()
	for {
		if !f.asked && ctx.Err() != nil {
			return guest.Status{}, context.Cause(ctx)
		}
		f.asked = true
		before := f.start.From
		err := f.connection(ctx, whole)
		if f.start.From != before {
			lost = time.Now()
		}
		switch {
		case err == nil:
			return *f.status, nil
		case whole.Err() != nil:
			return guest.Status{}, context.Cause(whole)
		case errors.As(err, new(*finalError)):
			return guest.Status{}, err
		case time.Since(lost) > lostLimit:
			return guest.Status{}, fmt.Errorf("lost the connection to guest %s: %w", f.name, err)
		}
		if err := f.x.gone(whole, f.name); err != nil {
			return guest.Status{}, err
		}
		time.Sleep(lostPause)
	}
}

// gone is an error where the instance runs no more. That its state can't be
// asked for means nothing.
func (x *Executor) gone(ctx context.Context, name string) error {
	state, _, err := x.client(ctx).GetInstanceState(name)
	switch {
	case isNotFound(err):
		return fmt.Errorf("instance %s was deleted while its command ran", name)
	case err == nil && state.StatusCode == api.Stopped:
		return fmt.Errorf("instance %s stopped while its command ran", name)
	}
	return nil
}

// allow gives the guest this long from now on.
func (f *follower) allow(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopping {
		f.limit.Reset(d)
	}
}

// stop gives the guest little time from now on, whatever it says.
func (f *follower) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.stopping {
		f.stopping = true
		f.limit.Reset(stopLimit)
	}
}

// connection follows over one exec until the job's end, which is nil, or the
// connection's. Its requests and sockets end with whole.
func (f *follower) connection(ctx, whole context.Context) error {
	noted := context.AfterFunc(ctx, f.stop)
	defer noted()
	input, err := json.Marshal(f.start)
	if err != nil {
		return &finalError{err}
	}
	c, err := f.x.exec(whole, f.name, input)
	if err != nil {
		return fmt.Errorf("start the guest program: %w", err)
	}
	defer c.close()
	stopped := context.AfterFunc(ctx, c.stop)
	defer stopped()
	over := context.AfterFunc(whole, c.close)
	defer over()
	err = f.frames(c.output())
	if err != nil && !errors.As(err, new(*finalError)) {
		if said := c.complaint(); said != nil {
			return said
		}
	}
	return err
}

// frames takes the guest's frames until its job's end, which is nil, or until
// its stream ends.
func (f *follower) frames(r io.Reader) error {
	buf := make([]byte, guest.MaxPayload)
	logs := f.task.Job().Logs
	for {
		kind, payload, err := readFrame(r, buf)
		if err != nil {
			return err
		}
		switch {
		case kind == guest.Ended:
			return f.ended(payload, r, buf)
		case kind == guest.Started && !f.began:
			f.began = true
			f.enter(event.Command)
			f.allow(timeoutOf(f.task.Job()) + endLimit)
		case kind == guest.Started:
		case kind == guest.Stdout:
			logs.Stdout.Write(payload)
			f.start.From.Stdout += int64(len(payload))
		case kind == guest.Stderr:
			logs.Stderr.Write(payload)
			f.start.From.Stderr += int64(len(payload))
		case kind == guest.Events && f.start.Request.Runner != "":
			logs.Host.Write(payload)
			f.start.From.Events += int64(len(payload))
		default:
			return lie("frame %d before the job's end", kind)
		}
	}
}

func readFrame(r io.Reader, buf []byte) (guest.Kind, []byte, error) {
	kind, payload, err := guest.ReadFrame(r, buf)
	if errors.Is(err, guest.ErrFrame) {
		err = lie("%w", err)
	}
	return kind, payload, err
}

// ended takes what follows the job's output: its status, its artifacts if they
// were asked for, and the end.
func (f *follower) ended(status []byte, r io.Reader, buf []byte) error {
	s := new(guest.Status)
	if len(status) > guest.MaxStatus {
		return lie("a status of %d bytes", len(status))
	}
	if err := json.Unmarshal(status, s); err != nil {
		return lie("its status: %w", err)
	}
	if s.Code < -1 || s.Code > 255 {
		return lie("an exit code of %d", s.Code)
	}
	if seen := f.start.From; s.Broken == "" && (seen.Stdout < s.Stdout || seen.Stderr < s.Stderr) {
		return lie("%d and %d bytes of output arrived of %d and %d", seen.Stdout, seen.Stderr, s.Stdout, s.Stderr)
	}
	s.Signal, s.Problem, s.Broken = clean(s.Signal), clean(s.Problem), clean(s.Broken)
	f.status = s
	f.allow(artifactsLimit)
	if f.start.Artifacts == nil {
		f.enter("")
		kind, _, err := readFrame(r, buf)
		if err == nil && kind != guest.Done {
			err = lie("frame %d after the job's end", kind)
		}
		return err
	}
	f.enter(event.Artifacts)
	return f.artifacts(&tarFrames{r: r, buf: buf, left: maxTar(f.task.Job().Limits)})
}

// artifacts takes the tar. What was kept over an earlier connection is passed
// over.
func (f *follower) artifacts(r *tarFrames) error {
	var err error
	if f.store == nil {
		f.store, err = artifact.Open(f.task)
	}
	if err == nil {
		err = takeTar(r, f.store)
	}
	if r.err != nil && r.err != io.EOF {
		return r.err
	}
	if err != nil {
		return &finalError{err}
	}
	return nil
}

func (f *follower) closeStore() {
	if f.store != nil {
		f.store.Close()
	}
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
