package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// releaseIfOver takes back what the job holds once no node of it is under way
// and its command has ended. It runs in a worker of its own; hasSlot says that
// the job's command slot is still taken.
func (r *run) releaseIfOver(j *jobRun, hasSlot bool) {
	r.mu.Lock()
	_, held := r.leases[j.Job.ID]
	r.mu.Unlock()
	over := j.finished != nil && j.active == 0 && !j.releasing
	if over {
		r.closeJob(j)
	}
	if !held || !over {
		if hasSlot {
			r.running.free(j.Job)
		}
		if over {
			delete(r.housed, j.Job.ID)
			r.settle(j)
		}
		return
	}
	if !hasSlot {
		r.running.take(j.Job)
	}
	r.settle(j)
	j.releasing = true
	r.workers++
	go func() {
		if !r.keep(j) {
			r.release(context.Background(), j.Job.ID)
		}
		r.messages <- message{released: j}
	}()
}

// releaseEnded takes back what jobs hold that ended without their command.
func (r *run) releaseEnded() {
	for _, j := range r.ended {
		r.releaseIfOver(j, false)
	}
	r.ended = nil
}

// release takes back the lease of a job, on a context that outlives the run's
// cancel.
func (r *run) release(ctx context.Context, job string) {
	r.mu.Lock()
	l, held := r.leases[job]
	r.mu.Unlock()
	if !held {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CleanUpLimit)
	defer cancel()
	// A broken journal keeps nothing from being taken back.
	r.emit(event.Event{PhaseStarted: &event.PhaseStarted{Phase: event.Delete, Job: job, Detail: l.Name}})
	start := time.Now()
	err := r.Releaser.Release(ctx, l)
	end := event.PhaseFinished{Phase: event.Delete, Job: job, DurationMS: time.Since(start).Milliseconds()}
	if err != nil {
		end.Error = err.Error()
	}
	r.emit(event.Event{PhaseFinished: &end})
	if err != nil {
		r.leave(l, err)
		return
	}
	r.emit(event.Event{LeaseReleased: &l})
}

// leave records that a lease could not be taken back.
func (r *run) leave(l event.Lease, err error) {
	left := event.LeaseLeft{Lease: l, Error: err.Error(), Command: r.Releaser.RemoveCommand(l)}
	r.mu.Lock()
	r.left = append(r.left, left)
	delete(r.leases, l.Job)
	r.mu.Unlock()
	r.emit(event.Event{LeaseLeft: &left})
}

// killTime is how long the end of host commands is waited for that get KILL: they
// would outlive this process, and nothing would know of them.
const killTime = 2 * time.Second

// abandon stops waiting: whatever is under way is named as left.
func (r *run) abandon(cause error) {
	r.mu.Lock()
	leases := slices.SortedFunc(maps.Values(r.leases), func(a, b event.Lease) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	r.mu.Unlock()
	for _, cancel := range r.cancels {
		cancel(cause)
	}
	for _, l := range leases {
		r.leave(l, errors.New("not waited for"))
	}
	r.awaitKilled()
	// Workers still send; nobody decides any more.
	left := r.workers
	go func() {
		for range left {
			<-r.messages
		}
	}()
	for _, st := range r.states.order {
		if _, over := r.outcomes[st.node.ID]; !over {
			r.endNode(st.node, cutShort(cause))
		}
	}
}

// awaitKilled waits until no command of the host is under way.
func (r *run) awaitKilled() {
	over := time.After(killTime)
	commands := 0
	for n := range r.cancels {
		if n.HostCommand != nil {
			commands++
		}
	}
	for commands > 0 {
		select {
		case m := <-r.messages:
			r.workers--
			if m.node != nil && m.node.HostCommand != nil {
				commands--
			}
		case <-over:
			return
		}
	}
}

// finish gives the verdicts of lanes and run, and closes the logs.
func (r *run) finish(ctx context.Context, err error) (Summary, error) {
	r.mu.Lock() // those who are not waited for may still end
	s := Summary{Left: r.left, NoSpace: r.noSpace}
	r.mu.Unlock()
	for _, j := range r.jobs {
		r.closeJob(j)
		if j.finished != nil {
			s.Jobs = append(s.Jobs, *j.finished)
		}
	}
	err = errors.Join(err, r.logErrs)
	for _, l := range r.Plan.Lanes {
		if v, ok := r.laneVerdict(l.ID, l.Jobs, l.Partial); ok && !r.PrepareOnly {
			f := event.LaneFinished{Lane: l.ID, Verdict: v}
			s.Lanes = append(s.Lanes, f)
			if r.Resume != nil && r.Resume.Lanes[l.ID] {
				continue
			}
			r.emit(event.Event{LaneFinished: &f})
		}
	}
	if cause := context.Cause(ctx); errors.Is(cause, ErrJournal) {
		err = errors.Join(cause, err)
	}
	s.Verdict, s.ExitCode, s.Reason = r.total(ctx, s.Jobs, err)
	r.emit(event.Event{RunFinished: &event.RunFinished{Verdict: s.Verdict, ExitCode: s.ExitCode,
		Reason: s.Reason, DurationMS: time.Since(r.started).Milliseconds()}})
	return s, err
}

// worse orders verdicts of jobs, the worst last.
var worse = []event.Verdict{event.Cached, event.Passed, event.Skipped, event.Cancelled, event.Failed}

// laneVerdict is the worst of the lane's jobs'; false for a lane without jobs.
func (r *run) laneVerdict(lane string, jobs []string, partial bool) (event.Verdict, bool) {
	worst := -1
	for _, id := range jobs {
		j := r.byID[id]
		if j == nil || j.finished == nil {
			partial = true
			continue
		}
		worst = max(worst, slices.Index(worse, j.finished.Verdict))
	}
	switch {
	case worst < 0:
		return "", false
	case worse[worst] == event.Cached:
		worst++
	}
	if partial && worse[worst] == event.Passed {
		return event.Partial, true
	}
	return worse[worst], true
}

// The exit codes of exec, worst reason first; docs/running.md lists them.
const (
	ExitInterrupted = 130
	ExitFailed      = 1
	ExitInfra       = 4
	ExitNothing     = 5
	ExitPassed      = 0
)

// total is the run's verdict, exit code, and what to say of them.
func (r *run) total(ctx context.Context, jobs []event.JobFinished, err error) (event.Verdict, int, string) {
	if errors.Is(context.Cause(ctx), ErrInterrupted) {
		return event.Cancelled, ExitInterrupted, context.Cause(ctx).Error()
	}
	outcomes := make([]event.Outcome, 0, len(jobs))
	for _, j := range jobs {
		outcomes = append(outcomes, j.Outcome)
	}
	if r.PrepareOnly {
		outcomes = slices.Collect(maps.Values(r.outcomes))
	}
	count := make(map[event.Verdict]int)
	infraOnly := true
	for _, o := range outcomes {
		count[o.Verdict]++
		if o.Verdict == event.Failed && o.Failure != event.Infra {
			infraOnly = false
		}
	}
	switch {
	case !infraOnly:
		return event.Failed, ExitFailed, fmt.Sprintf("%d of %d failed", count[event.Failed], len(outcomes))
	case err != nil:
		return event.Failed, ExitInfra, err.Error()
	case count[event.Failed] > 0:
		return event.Failed, ExitInfra, fmt.Sprintf("%d of %d could not be carried out", count[event.Failed], len(outcomes))
	case len(outcomes) == 0 && r.AllowEmpty:
		return event.Skipped, ExitPassed, "nothing to run"
	case len(outcomes) == 0:
		return event.Skipped, ExitNothing, "nothing to run"
	case count[event.Passed]+count[event.Cached] < len(outcomes):
		return event.Cancelled, ExitInfra, "not every job ran"
	}
	return event.Passed, ExitPassed, ""
}
