package runtime

import (
	"context"
	"errors"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Results are passes of earlier runs. Both methods are called from many
// goroutines, for different jobs.
type Results interface {
	// Find says whether one stands in for the job. It is called before the
	// job's instance is made; known is false as long as it can't be told because
	// a payload is not built, and it is called again when all are.
	Find(ctx context.Context, j *JobContext, command []string) (l event.ResultLookedUp, known bool)
	// Take gives the task's job what the pass that was found had brought back.
	Take(ctx context.Context, t Task, l event.ResultLookedUp) error
}

// lookUp finds the pass that stands in for the node's job; nil where none does.
// What it says is journalled once.
func (r *run) lookUp(ctx context.Context, t Task) *event.ResultLookedUp {
	if r.Results == nil || t.Node.NixBuild != nil {
		return nil
	}
	j := r.byID[t.Job().Job.ID]
	// A host job that does not ask for it is not even told of.
	if j.Job.Host() && !j.Job.Cache {
		return nil
	}
	if j.looked == nil && !r.madeBefore(j) {
		l, known := r.find(ctx, j)
		// With its command's turn, all payloads are built.
		if !known && t.Node.IncusInstance != nil {
			return nil
		}
		l.Job, j.looked = j.Job.ID, &l
		r.emit(event.Event{ResultLookedUp: &l})
	}
	if j.looked == nil || !j.looked.Found {
		return nil
	}
	return j.looked
}

// madeBefore reports whether an earlier owner of the run made the job's
// instance: of what, is known to that one alone, so its pass is none for later
// runs.
func (r *run) madeBefore(j *jobRun) bool {
	o := r.Resume.outcome(plan.PrepareRunnerID(j.Job.ID))
	return o != nil && o.Verdict != event.Cached
}

func (r *run) find(ctx context.Context, j *jobRun) (event.ResultLookedUp, bool) {
	refused := func(why string) (event.ResultLookedUp, bool) { return event.ResultLookedUp{Reason: why}, true }
	switch {
	case r.NoCache:
		return refused("--no-cache")
	case r.Keep == KeepAlways:
		return refused("--keep always shows instances of jobs that ran")
	}
	if why := WhyNotReused(j.Job); why != "" {
		return refused(why)
	}
	return r.Results.Find(ctx, &j.JobContext, r.states.nodes[plan.ExecuteID(j.Job.ID)].node.Command())
}

// WhyNotReused is why no earlier pass may stand in for a job, whatever it hangs
// on; empty where one may.
func WhyNotReused(j *plan.Job) string {
	switch {
	case !j.Cache:
		return "cache is false"
	case j.Finally:
		return "finally jobs clean up, each time"
	case len(j.Secrets) > 0:
		return "it has secrets"
	case j.HostCache:
		return "it goes on from what earlier runs left in its cache"
	}
	return ""
}

// reuse ends a node of a job for which an earlier pass stands in. Where what
// that pass brought back can't be had any more, the next attempt runs the
// command.
func (r *run) reuse(ctx context.Context, t Task, l *event.ResultLookedUp) (event.Outcome, error) {
	out := event.Outcome{Verdict: event.Cached, CachedFrom: l.Run, Reason: "as in run " + l.Run}
	if t.Node.IncusInstance != nil {
		return out, nil
	}
	err := r.Results.Take(ctx, t, *l)
	switch {
	case err == nil:
		out.ExitCode = new(int)
		return out, nil
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return cutShort(context.Cause(ctx)), err
	}
	told := *l
	told.Found, told.Reason = false, err.Error()
	r.byID[told.Job].looked = &told
	r.emit(event.Event{ResultLookedUp: &told})
	return infra(err), &goneError{err}
}

// goneError means that what a pass brought back can't be had any more.
type goneError struct{ err error }

func (e *goneError) Error() string { return e.err.Error() }
func (e *goneError) Unwrap() error { return e.err }
