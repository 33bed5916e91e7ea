package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// backOff is how long the first repeat of a node waits that could not be
// carried out; each one after it waits four times as long.
const backOff = time.Second

// work carries out a node in a worker's goroutine. It is tried again where its
// command failed and the lane allows it, and where it could not be carried out.
// Every attempt is journalled: none is hidden by a later one.
func (r *run) work(ctx context.Context, t Task) event.Outcome {
	// Of a run that is resumed, the attempts before count as failed.
	failed, broken := t.Attempt-1, 0
	for first := true; ; first = false {
		if err := r.emit(event.Event{NodeStarted: startOf(t)}); err != nil {
			return infra(err)
		}
		out, err := r.attempt(ctx, t, first)
		if !t.Node.Prepares() {
			// Its output is on disk before its end is journalled.
			mark(t.Job().Logs.Stdout)
			mark(t.Job().Logs.Stderr)
		}
		gone := errors.As(err, new(*goneError))
		switch {
		case ctx.Err() != nil:
			return out
		case gone: // the next attempt runs the command
		case out.Failure == event.Test && !t.Node.Prepares() && failed < t.Job().Job.Retries:
			failed++
		case out.Failure == event.Infra && broken < r.InfraRetries && mayPass(err):
			broken++
		case out.Verdict == event.Passed && failed > 0:
			out.Reason = fmt.Sprintf("flaky: passed at attempt %d", t.Attempt)
			return out
		default:
			return out
		}
		r.emit(event.Event{NodeRetried: &event.NodeRetried{Node: t.Node.ID, Attempt: t.Attempt, Outcome: out}})
		if out.Failure == event.Infra && !gone && !pause(ctx, backOff<<(2*(broken-1))) {
			return out
		}
		t.Attempt++
		if again := r.freshInstance(ctx, t); again != nil {
			return *again
		}
	}
}

// attempt carries out a node once. The first attempt of this owner may find that
// an earlier pass stands in, or what an earlier owner left.
func (r *run) attempt(ctx context.Context, t Task, first bool) (event.Outcome, error) {
	if first {
		if found := r.lookUp(ctx, t); found != nil {
			return r.reuse(ctx, t, found)
		}
		if bad := r.takeUp(ctx, t); bad != nil {
			return *bad, nil
		}
	}
	return r.execute(ctx, t)
}

// startOf says that an attempt starts, and where its part of the logs begins:
// one that is resumed has its logs from there on once more.
func startOf(t Task) *event.NodeStarted {
	e := event.NodeStarted{Node: t.Node.ID, Attempt: t.Attempt}
	if t.Attempt > 1 {
		e.Stdout, e.Stderr = mark(t.Job().Logs.Stdout), mark(t.Job().Logs.Stderr)
	}
	return &e
}

// mark has a log write what it holds back, and gives its length.
func mark(w io.Writer) int64 {
	if l, ok := w.(interface{ Mark() int64 }); ok {
		return l.Mark()
	}
	return 0
}

// mayPass reports whether another attempt may end otherwise. What a person must
// mend says so by a hint; a full disk and a broken journal stay what they are.
func mayPass(err error) bool {
	var hinted interface{ Hint() string }
	return err != nil && !errors.As(err, &hinted) && !errors.Is(err, ErrJournal) && !errors.Is(err, syscall.ENOSPC)
}

// pause waits, and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// freshInstance takes back what is there of a job's instance before another
// attempt. A command gets a new one; nil when that worked, or where there is
// none to make.
func (r *run) freshInstance(ctx context.Context, t Task) *event.Outcome {
	if t.Node.GuestCommand == nil && t.Node.IncusInstance == nil {
		return nil
	}
	r.release(ctx, t.Job().Job.ID)
	if t.Node.IncusInstance != nil {
		return nil // the attempt makes it
	}
	for i := range r.Plan.Nodes {
		if n := &r.Plan.Nodes[i]; n.ID == plan.PrepareRunnerID(t.Job().Job.ID) {
			t.Node = n
		}
	}
	if out, _ := r.execute(ctx, t); out.Verdict != event.Passed {
		return &out
	}
	return nil
}

// execute calls the executor of the node and makes an outcome of its error,
// which it returns too.
func (r *run) execute(ctx context.Context, t Task) (event.Outcome, error) {
	// A build that is known reads no snapshot: its executor says if one does.
	if t.Node.NixBuild == nil {
		if err := t.Job().needWorkspace(ctx); err != nil {
			return infra(err), err
		}
	}
	var e Executor
	done := func() {}
	switch n := t.Node; {
	case n.NixBuild != nil:
		e = r.Builds
		ctx, done = within(ctx, "not built after", n.NixBuild.TimeoutSecs)
	case n.IncusInstance != nil:
		e = r.Instances
	case n.GuestCommand != nil:
		e = r.Guests
	case n.HostCommand != nil:
		e = r.Hosts
	}
	if s := r.silenceOf(t); s != nil {
		ctx, t.Emit, done = s.listen(ctx, t.Emit)
	}
	defer done()
	out, err := e.Execute(ctx, t)
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)), errors.Is(err, context.Canceled):
		return cutShort(context.Cause(ctx)), err
	}
	if errors.Is(err, syscall.ENOSPC) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.noSpace == nil {
			r.noSpace = err
		}
	}
	return infra(err), err
}
