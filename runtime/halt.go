package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// LimitError means that something took longer than it may. What it ends has
// failed by a timeout.
type LimitError struct {
	// What took too long, in the words before "for 5 s" or "after 5 s".
	What  string
	Limit time.Duration
}

func (e *LimitError) Error() string { return fmt.Sprintf("%s %g s", e.What, e.Limit.Seconds()) }

// cutShort is the outcome of what was ended for the cause.
func cutShort(cause error) event.Outcome {
	if cause == nil {
		return event.Outcome{Verdict: event.Cancelled}
	}
	if errors.Is(cause, ErrJournal) {
		return infra(cause)
	}
	if errors.As(cause, new(*LimitError)) {
		return event.Outcome{Verdict: event.Failed, Failure: event.Timeout, Reason: cause.Error()}
	}
	return event.Outcome{Verdict: event.Cancelled, Reason: cause.Error()}
}

// halt ends, for the cause, all that is only for jobs that which takes: nodes
// that are under way, whose workers see their context end, and those that
// wait. What a finally job needs that is owed goes on.
func (r *run) halt(cause error, which func(*jobRun) bool) {
	over := func(n *plan.Node) bool {
		for _, id := range n.Jobs {
			j := r.byID[id]
			if j != nil && j.finished == nil && (!which(j) || r.owed(j, cause)) {
				return false
			}
		}
		return true
	}
	for n, cancel := range r.cancels {
		if over(n) {
			cancel(cause)
		}
	}
	for _, n := range r.states.skip(over) {
		r.endNode(n, cutShort(cause))
	}
	r.releaseEnded()
}

// haltAll ends the run but for what is owed.
func (r *run) haltAll(cause error) { r.halt(cause, func(*jobRun) bool { return true }) }

// owed reports whether the job cleans up after commands that were begun: then
// it runs whatever ends the rest, unless it couldn't be recorded.
func (r *run) owed(j *jobRun, cause error) bool {
	return j.Job.Finally && r.begun[j.Lane] && !errors.Is(cause, ErrJournal)
}

// commandBegins notes that a job's command starts, or was started by an
// earlier owner.
func (r *run) commandBegins(j *jobRun, at time.Time) {
	if j.began.IsZero() {
		j.began = at
	}
	if !j.Job.Finally {
		r.begun[j.Lane] = true
	}
}

// laneStarts starts the time of a lane of which something starts.
func (r *run) laneStarts(l *plan.Lane) {
	if _, known := r.laneEnds[l]; !known && l.TimeoutSecs > 0 {
		r.laneEnds[l] = time.Now().Add(time.Duration(l.TimeoutSecs) * time.Second)
	}
}

// nextLimit is when the next lane is out of time; nil where none can be.
func (r *run) nextLimit() <-chan time.Time {
	var next time.Time
	for l, at := range r.laneEnds {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) && !r.laneOver(l) {
			next = at
		}
	}
	if next.IsZero() {
		return nil
	}
	return time.After(time.Until(next))
}

// haltLanes ends the lanes that are out of time.
func (r *run) haltLanes() {
	for l, at := range r.laneEnds {
		if at.IsZero() || time.Now().Before(at) {
			continue
		}
		r.laneEnds[l] = time.Time{}
		cause := &LimitError{"lane " + l.ID + " not ended after", time.Duration(l.TimeoutSecs) * time.Second}
		r.halt(cause, func(j *jobRun) bool { return j.Lane == l })
	}
}

// silenceOf watches a command that may not be silent; nil for others.
func (r *run) silenceOf(t Task) *silence {
	if t.Node.Prepares() {
		return nil
	}
	return r.byID[t.Job().Job.ID].silence
}

// within gives ctx a limit where there is one.
func within(ctx context.Context, what string, secs int) (context.Context, context.CancelFunc) {
	if secs == 0 {
		return ctx, func() {}
	}
	d := time.Duration(secs) * time.Second
	return context.WithTimeoutCause(ctx, d, &LimitError{what, d})
}
