package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// run is a run under way. The goroutine of carryOut owns all of it but what
// stands under mu.
type run struct {
	*Config
	cancel  context.CancelCauseFunc
	states  *states
	jobs    []*jobRun
	byID    map[string]*jobRun
	started time.Time

	// builds are those under way, running the jobs whose commands are, or whose
	// instances are being deleted.
	builds  int
	running slots
	// housed are the jobs that have an instance, or one under way, by id, and
	// waiting those of them whose commands have not started.
	housed   map[string]bool
	waiting  []*jobRun
	workers  int
	messages chan message
	// cancels end the nodes that are under way.
	cancels map[*plan.Node]context.CancelCauseFunc
	// begun are lanes of which a command was begun.
	begun map[*plan.Lane]bool
	// laneEnds is when lanes that have started are out of time; zero once
	// that was.
	laneEnds map[*plan.Lane]time.Time
	groups   groupHolds
	caches   cacheHolds
	// roots names for each skipped node the node whose end made it so.
	roots    map[string]string
	outcomes map[string]event.Outcome
	// ended are jobs that ended since releaseEnded was last called.
	ended []*jobRun
	// logErrs are of logs that could not be opened, or written whole.
	logErrs error

	mu     sync.Mutex
	leases map[string]event.Lease // by job
	left   []event.LeaseLeft
	// noSpace is the first error of a full disk.
	noSpace error
}

// jobRun is a job of the run, with what the loop keeps of it.
type jobRun struct {
	JobContext
	// opened says that its logs were opened, or could not be; closeLogs is nil
	// where they are not open.
	opened    bool
	closeLogs func() error
	// silence is nil where the job may be silent.
	silence *silence
	// began is when its command node started.
	began time.Time
	// unbuilt counts the builds that it waits for, and staged is closed when
	// there are none left.
	unbuilt int
	staged  chan struct{}
	// active counts its nodes under way.
	active    int
	finished  *event.JobFinished
	releasing bool
	// looked is what the last looking for an earlier pass gave; nil before it.
	// The workers of its instance and of its command look, one after the other.
	looked *event.ResultLookedUp
}

// message is what a worker tells the loop: the node's outcome, or that a job's
// lease was taken back.
type message struct {
	node     *plan.Node
	outcome  event.Outcome
	released *jobRun
}

// carryOut drives all nodes to their end. Workers only execute; this goroutine
// decides, and no other reads or changes the states.
func (r *run) carryOut(ctx context.Context) {
	r.releaseEnded()
	ended := ctx.Done()
	defer r.releaseGroups()
	for {
		if ctx.Err() != nil && ended != nil {
			ended = nil
			r.haltAll(context.Cause(ctx))
		}
		r.startReady(ctx)
		if r.workers == 0 && !r.states.done() {
			r.unlock(ctx)
		}
		again := r.waitsElsewhere()
		if r.workers == 0 && again == nil {
			break
		}
		select {
		case m := <-r.messages:
			r.take(m)
			r.releaseGroups()
		case <-again:
			r.releaseGroups()
		case <-r.nextLimit():
			r.haltLanes()
		case <-ended:
		case <-r.Abandon:
			r.abandon(context.Cause(ctx))
			return
		}
	}
	if !r.states.done() {
		panic("BUG: no node is under way, none can start, and not all have ended")
	}
}

// openJob opens the job's logs with its first node: a run may have thousands of
// jobs, and a process not as many files.
func (r *run) openJob(j *jobRun) error {
	if j.opened || r.PrepareOnly && j.Job.Host() {
		return nil
	}
	j.opened = true
	closeLogs, err := r.OpenJob(&j.JobContext)
	if err != nil {
		return fmt.Errorf("open the logs of job %s: %w", j.Job.ID, err)
	}
	j.closeLogs = closeLogs
	if secs := j.Job.SilenceSecs; secs > 0 {
		j.silence = &silence{limit: time.Duration(secs) * time.Second}
		j.Logs.Stdout, j.Logs.Stderr = listened{j.Logs.Stdout, j.silence}, listened{j.Logs.Stderr, j.silence}
	}
	return nil
}

// closeJob closes the logs of a job that is over.
func (r *run) closeJob(j *jobRun) {
	if j.closeLogs == nil {
		return
	}
	if err := j.closeLogs(); err != nil {
		r.logErrs = errors.Join(r.logErrs, fmt.Errorf("the log of job %s is not whole: %w", j.Job.ID, err))
	}
	j.closeLogs = nil
}

// startReady starts what is ready, as far as there are slots.
func (r *run) startReady(ctx context.Context) {
	for c := range classes {
		for r.hasSlot(c) {
			n := r.states.next(c)
			if n == nil {
				break
			}
			if !r.fits(n) || !r.mayStart(n) {
				r.states.park(n)
				continue
			}
			r.start(ctx, n)
		}
	}
}

// unlock starts something where nothing is under way and nothing could start:
// lanes of this run wait for one another's groups, or jobs that wait have all
// the instances that may be there.
func (r *run) unlock(ctx context.Context) {
	r.releaseGroups()
	r.startReady(ctx)
	for r.workers == 0 {
		n := r.states.next(classInstance)
		if n == nil {
			return
		}
		if r.mayStart(n) {
			r.start(ctx, n)
		} else {
			r.states.park(n)
		}
	}
}

func (r *run) start(ctx context.Context, n *plan.Node) {
	r.states.start(n)
	switch {
	case n.NixBuild != nil:
		r.builds++
	case n.IncusInstance != nil:
		r.house(r.byID[n.IncusInstance.Job])
	default:
		r.settle(r.byID[n.Jobs[0]])
		r.running.take(r.byID[n.Jobs[0]].Job)
	}
	r.workers++
	// Its end is the loop's to say: not all ends with the run's context.
	ctx, r.cancels[n] = context.WithCancelCause(context.WithoutCancel(ctx))
	t := Task{Node: n, Attempt: r.Resume.attempt(n.ID), Run: &r.Run, Emit: r.emit, Abandon: r.Abandon}
	var opened error
	for _, id := range n.Jobs {
		if j := r.byID[id]; j != nil {
			opened = errors.Join(opened, r.openJob(j))
			t.Jobs, t.Staged = append(t.Jobs, &j.JobContext), j.staged
			j.active++
			r.laneStarts(j.Lane)
			if !n.Prepares() {
				r.commandBegins(j, time.Now())
			}
		}
	}
	go func() {
		m := message{node: n}
		if opened != nil {
			m.outcome = infra(opened)
		} else {
			m.outcome = r.work(ctx, t)
		}
		r.messages <- m
	}()
}

func infra(err error) event.Outcome {
	return event.Outcome{Verdict: event.Failed, Failure: event.Infra, Reason: err.Error()}
}

// take handles a worker's message.
func (r *run) take(m message) {
	r.workers--
	if m.released != nil {
		r.running.free(m.released.Job)
		delete(r.housed, m.released.Job.ID)
		m.released.releasing = false
		return
	}
	r.cancels[m.node](nil)
	delete(r.cancels, m.node)
	for _, id := range m.node.Jobs {
		if j := r.byID[id]; j != nil {
			j.active--
		}
	}
	switch {
	case m.node.NixBuild != nil:
		r.builds--
	case m.node.HostCommand != nil:
		r.releaseCache(m.node)
		r.running.free(r.byID[m.node.Jobs[0]].Job)
	case m.node.IncusInstance != nil && m.outcome.Verdict == event.Cached: // none was made
		delete(r.housed, m.node.IncusInstance.Job)
		r.settle(r.byID[m.node.IncusInstance.Job])
	}
	// A guest's command keeps its slot until its instance is gone.
	r.endNode(m.node, m.outcome)
	r.endSkipped(r.states.finish(m.node, m.outcome.Verdict))
	if m.outcome.Verdict != event.Passed {
		r.skipDoomed()
	}
	for _, id := range m.node.Jobs {
		if j := r.byID[id]; j != nil {
			r.releaseIfOver(j, m.node.GuestCommand != nil)
		}
	}
	r.releaseEnded()
	if r.FailFast && m.outcome.Verdict == event.Failed {
		r.cancel(ErrFailFast)
	}
}

// endSkipped ends the nodes that will never run, because of others.
func (r *run) endSkipped(list []skipped) {
	for _, s := range list {
		root, ok := r.roots[s.because.ID]
		if !ok {
			root = s.because.ID
		}
		r.roots[s.node.ID] = root
		if o := r.Resume.outcome(s.node.ID); o != nil {
			r.endNode(s.node, *o)
			continue
		}
		r.endNode(s.node, r.skipOutcome(root))
	}
}

// skipOutcome is what a node ends with that waits for root, which did not pass.
func (r *run) skipOutcome(root string) event.Outcome {
	if o := r.outcomes[root]; o.Verdict == event.Cancelled {
		return o
	}
	return event.Outcome{Verdict: event.Skipped, Reason: "waits for " + root + ", which did not pass"}
}

// skipDoomed ends the nodes that are only for jobs which ended already.
func (r *run) skipDoomed() {
	doomed := r.states.skip(func(n *plan.Node) bool {
		for _, id := range n.Jobs {
			if j := r.byID[id]; j != nil && j.finished == nil {
				return false
			}
		}
		return !r.PrepareOnly
	})
	for _, n := range doomed {
		r.endNode(n, event.Outcome{Verdict: event.Skipped, Reason: "no job waits for it any more"})
	}
}

// endNode records a node's outcome, and its job's where it is the job's
// command.
func (r *run) endNode(n *plan.Node, o event.Outcome) {
	if _, twice := r.outcomes[n.ID]; twice {
		panic(fmt.Sprintf("BUG: node %q ended twice", n.ID))
	}
	r.outcomes[n.ID] = o
	r.payloadEnded(n)
	if r.Resume.outcome(n.ID) == nil {
		r.emit(event.Event{NodeFinished: &event.NodeFinished{Node: n.ID, Outcome: o}})
	}
	if !n.Prepares() {
		r.endJob(r.byID[n.Jobs[0]], r.jobOutcome(n, o))
	}
}

// jobOutcome is the verdict of a job whose command ended with o. A job whose
// payload or instance could not be made has failed by that; one that needs a
// job which did not pass is skipped.
func (r *run) jobOutcome(n *plan.Node, o event.Outcome) event.Outcome {
	rootID, skipped := r.roots[n.ID]
	if !skipped || o.Verdict != event.Skipped {
		return o
	}
	root := r.states.nodes[rootID].node
	if !root.Prepares() {
		o.Reason = fmt.Sprintf("needs job %s, which did not pass", root.Jobs[0])
		return o
	}
	cause := r.outcomes[rootID]
	o = event.Outcome{Verdict: event.Failed, Failure: event.Prepare, Reason: rootID + ": " + cause.Reason}
	if cause.Failure == event.Infra {
		o.Failure = event.Infra
	}
	return o
}

func (r *run) endJob(j *jobRun, o event.Outcome) {
	f := event.JobFinished{Job: j.Job.ID, Lane: j.Lane.ID, Outcome: o}
	if !j.began.IsZero() {
		f.DurationMS = time.Since(j.began).Milliseconds()
	}
	r.ended = append(r.ended, j)
	if r.Resume != nil {
		if before, over := r.Resume.Jobs[j.Job.ID]; over {
			j.finished = &before
			return
		}
	}
	j.finished = &f
	r.emit(event.Event{JobFinished: &f})
}

// endUnstarted ends every node of a run whose beginning failed.
func (r *run) endUnstarted(err error) {
	for _, n := range r.states.skip(func(*plan.Node) bool { return true }) {
		o := infra(err)
		if errors.Is(err, ErrInterrupted) || errors.As(err, new(*LimitError)) {
			o = cutShort(err)
		}
		r.endNode(n, o)
	}
	r.releaseAll()
}
