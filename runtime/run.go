package runtime

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Config is one run: the plan, what carries it out, and who is told.
type Config struct {
	Plan *plan.Plan
	Run  RunContext
	// Version of pikaci, for the journal's first line.
	Version string
	// Builds, Instances, Guests and Hosts carry out the four operations.
	// Those that the plan does not ask for may be nil.
	Builds, Instances, Guests, Hosts Executor
	// Releaser takes back the instances; nil where Instances is nil.
	Releaser Releaser
	// Results are passes of earlier runs; nil: none stands in for a job.
	Results Results
	// NoCache has every job run, whatever passed before.
	NoCache bool
	// Keeper leaves the instances of the jobs that Keep names for KeepFor; nil
	// where all are taken back.
	Keeper  Keeper
	Keep    Keep
	KeepFor time.Duration
	// HostSetup runs one command on the host, in the source tree.
	HostSetup func(ctx context.Context, argv []string) error
	// TakeSnapshot makes Run.Snapshot.
	TakeSnapshot func(ctx context.Context) (event.SnapshotTaken, error)
	// OpenJob opens a job's logs; the function it returns closes them.
	OpenJob func(j *JobContext) (closeLogs func() error, err error)
	Journal Journal
	// Groups are the concurrency groups of the host; nil: those of this run
	// only.
	Groups Groups
	// Caches are what lanes keep for host jobs; nil: they are not held here.
	Caches Caches
	// Secrets are the values of all secrets that the plan's jobs name.
	Secrets map[string]string
	Limits  Limits
	// Job takes one job, or several with commas between them, and those that
	// they need; empty: all.
	Job string
	// InfraRetries is how often a node is tried again that could not be
	// carried out.
	InfraRetries int
	// Durations are how long nodes took in earlier runs, by their ids.
	Durations map[string]time.Duration
	// Timeout is how long the run may take; 0: as long as it takes.
	Timeout time.Duration
	// Capacity is what of the host the run may use.
	Capacity    Capacity
	FailFast    bool
	PrepareOnly bool
	// AllowEmpty makes a run that has nothing to do end well.
	AllowEmpty bool
	// Resume is how far an earlier owner of this run came, who was killed;
	// nil for a new run. The snapshot is there if it says so.
	Resume *Progress
	// Torn is how many bytes of an event that was cut off the journal had.
	Torn int64
	// Adopter finds instances of an earlier owner; nil: all are made anew.
	Adopter Adopter
	// HostDigest is of what the host decided, which a resumed run is held to.
	HostDigest string
	// TraceParent and Trace are for the run's beginning: the trace that it is
	// part of, and its own place there.
	TraceParent, Trace string
	// JobEnv is what the host adds to the environment of a job's command, where
	// the job says nothing of it; nil: nothing.
	JobEnv func(job string) map[string]string
	// Abandon, when closed, makes the run stop waiting for anything and say
	// what it leaves.
	Abandon <-chan struct{}
}

// Journal keeps events. Append is called from many goroutines and gives the
// event its sequence and time. Once it gave an error it gives one always.
type Journal interface {
	Append(e event.Event, safety event.Safety) error
}

// CleanUpLimit bounds the taking back of what a run made, after its end or
// cancel.
const CleanUpLimit = 2 * time.Minute

// Causes that end a run early; context.Cause gives them.
var (
	// ErrInterrupted means that a person or the machine asked to stop.
	ErrInterrupted = errors.New("interrupted")
	// ErrFailFast means that another job failed.
	ErrFailFast = errors.New("another job failed (--fail-fast)")
	// ErrJournal means that the journal can't be written.
	ErrJournal = errors.New("the run's journal can't be written")
)

// Summary is how a run ended.
type Summary struct {
	Verdict  event.Verdict
	ExitCode int
	Reason   string
	Jobs     []event.JobFinished
	Lanes    []event.LaneFinished
	// Left is what could not be taken back.
	Left []event.LeaseLeft
	// NoSpace is the first error of a node that found the host's disk full; nil
	// where none did.
	NoSpace error
}

// Run carries out the plan and returns how it ended. The error is of the run
// as a whole, and the summary is right even then.
func Run(ctx context.Context, c Config) (Summary, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, c.Timeout, &LimitError{"run not ended after", c.Timeout})
		defer stop()
	}
	r := newRun(&c, cancel)
	if c.Resume == nil {
		r.begin()
	} else {
		r.resume()
	}
	err := r.hostSetup(ctx)
	if err == nil {
		err = r.snapshot(ctx)
	}
	if err == nil {
		r.carryOut(ctx)
	} else {
		r.endUnstarted(err)
	}
	return r.finish(ctx, err)
}

func (r *run) begin() {
	lanes, jobs := []string{}, []string{}
	for _, l := range r.Plan.Lanes {
		if l.Chosen {
			lanes = append(lanes, l.ID)
		}
	}
	for _, j := range r.jobs {
		jobs = append(jobs, j.Job.ID)
	}
	r.emit(event.Event{JournalOpened: &event.JournalOpened{
		SchemaVersion: event.SchemaVersion, RunID: r.Run.ID, Pikaci: r.Version}})
	r.emit(event.Event{RunStarted: &event.RunStarted{
		PlanDigest: r.Plan.Digest, SourceRoot: r.Run.SourceRoot, RunDir: r.Run.Dir,
		Parallel: r.Capacity.Commands, CPUs: r.Capacity.CPUs, MemoryMiB: r.Capacity.MemoryMiB, Lanes: lanes, Jobs: jobs, PrepareOnly: r.PrepareOnly,
		Job: r.Job, FailFast: r.FailFast, TimeoutMS: r.Timeout.Milliseconds(), NoCache: r.NoCache, HostDigest: r.HostDigest,
		TraceParent: r.TraceParent, Trace: r.Trace}})
}

// hostSetup runs each distinct command of the chosen lanes once.
func (r *run) hostSetup(ctx context.Context) error {
	done := make(map[string]bool)
	if r.Resume != nil {
		if r.Resume.Snapshot != nil {
			return nil
		}
		done = r.Resume.Setup
	}
	for _, l := range r.Plan.Lanes {
		if !l.Chosen {
			continue
		}
		for _, argv := range l.HostSetup {
			key := fmt.Sprintf("%q", argv)
			if done[key] {
				continue
			}
			done[key] = true
			err := r.phase(event.PhaseStarted{Phase: event.HostSetup, Detail: key}, func() error {
				return r.HostSetup(ctx, argv)
			})
			if err != nil {
				return fmt.Errorf("host setup %s of lane %s: %w", key, l.ID, err)
			}
		}
	}
	return nil
}

func (r *run) snapshot(ctx context.Context) error {
	if r.Resume != nil && r.Resume.Snapshot != nil {
		r.Run.SnapshotHash = r.Resume.Snapshot.ContentHash
		return nil
	}
	return r.phase(event.PhaseStarted{Phase: event.Snapshot}, func() error {
		taken, err := r.TakeSnapshot(ctx)
		if err != nil {
			return fmt.Errorf("snapshot of %s: %w", r.Run.SourceRoot, err)
		}
		r.Run.SnapshotHash = taken.ContentHash
		return r.emit(event.Event{SnapshotTaken: &taken})
	})
}

// phase runs f between the events of a phase of the run.
func (r *run) phase(p event.PhaseStarted, f func() error) error {
	return Phase(r.emit, p, f)
}

// Phase runs f between the two events of a phase.
func Phase(emit func(event.Event) error, p event.PhaseStarted, f func() error) error {
	if err := emit(event.Event{PhaseStarted: &p}); err != nil {
		return err
	}
	start := time.Now()
	err := f()
	end := event.PhaseFinished{Phase: p.Phase, Node: p.Node, Job: p.Job, Detail: detailOf(p),
		DurationMS: time.Since(start).Milliseconds()}
	if err != nil {
		end.Error = err.Error()
	}
	return errors.Join(err, emit(event.Event{PhaseFinished: &end}))
}

// detailOf tells phases of the run apart that are of the same kind.
func detailOf(p event.PhaseStarted) string {
	if p.Phase == event.HostSetup {
		return p.Detail
	}
	return ""
}

// emit journals an event of the run. An error of the journal ends the run.
func (r *run) emit(e event.Event) error {
	r.track(e)
	err := r.Journal.Append(e, safetyOf(&e))
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%w: %w", ErrJournal, err)
	r.cancel(err)
	return err
}

// safetyOf is how safe an event must be. What is on a server must be known
// before it is there; a verdict that is lost is another run of its command.
func safetyOf(e *event.Event) event.Safety {
	switch {
	case e.JournalOpened != nil, e.Resumed != nil, e.LeaseIntended != nil, e.LeaseKept != nil, e.RunFinished != nil:
		return event.Now
	case e.JobFinished != nil && e.JobFinished.Verdict != event.Cached: // which can be looked up again
		return event.Soon
	}
	return event.Later
}

// track keeps the leases that must be taken back, whatever the journal does.
func (r *run) track(e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range []*event.Lease{e.LeaseIntended, e.LeaseTaken} {
		if l != nil {
			r.leases[l.Job] = *l
		}
	}
	if e.LeaseReleased != nil {
		delete(r.leases, e.LeaseReleased.Job)
	}
	if e.LeaseKept != nil {
		delete(r.leases, e.LeaseKept.Job)
	}
}

// newRun makes the contexts of the jobs that are taken.
func newRun(c *Config, cancel context.CancelCauseFunc) *run {
	r := &run{
		Config: c, cancel: cancel,
		leases: make(map[string]event.Lease), byID: make(map[string]*jobRun),
		running: slots{Capacity: c.Capacity}, housed: make(map[string]bool),
		roots: make(map[string]string), outcomes: make(map[string]event.Outcome),
		messages: make(chan message), cancels: make(map[*plan.Node]context.CancelCauseFunc),
		begun: make(map[*plan.Lane]bool), laneEnds: make(map[*plan.Lane]time.Time),
		groups:  groupHolds{lanes: make(map[string]*plan.Lane), release: make(map[string]func()), told: make(map[string]bool)},
		caches:  cacheHolds{jobs: make(map[*plan.Lane]*jobRun), release: make(map[*plan.Node]func()), told: make(map[string]bool)},
		started: time.Now(),
	}
	if c.Resume != nil {
		r.started = c.Resume.Began
	}
	contexts := Contexts(c.Plan, &c.Run, c.Job, c.Secrets, c.Limits)
	for i := range c.Plan.Jobs {
		if j := contexts[c.Plan.Jobs[i].ID]; j != nil {
			jr := &jobRun{JobContext: *j}
			if c.JobEnv != nil {
				jr.HostEnv = c.JobEnv(j.Job.ID)
			}
			r.jobs = append(r.jobs, jr)
			r.byID[j.Job.ID] = jr
		}
	}
	take := func(n *plan.Node) bool {
		if c.PrepareOnly && n.NixBuild == nil {
			return false
		}
		return slices.ContainsFunc(n.Jobs, func(id string) bool { return contexts[id] != nil })
	}
	r.states = newStates(c.Plan, take, weights(c.Durations))
	r.expectPayloads()
	return r
}

// weights are how long nodes are thought to take. One that is new takes as long
// as the others on average: neither first nor last.
func weights(known map[string]time.Duration) func(*plan.Node) time.Duration {
	mean := time.Second
	if len(known) > 0 {
		var sum time.Duration
		for _, d := range known {
			sum += d
		}
		mean = sum / time.Duration(len(known))
	}
	return func(n *plan.Node) time.Duration {
		if d, ok := known[n.ID]; ok {
			return d
		}
		return mean
	}
}

// Contexts are the contexts of the jobs that are taken, by id: one job and
// those that it needs, or all where only is empty.
func Contexts(p *plan.Plan, run *RunContext, only string, secrets map[string]string, limits Limits) map[string]*JobContext {
	lanes := make(map[string]*plan.Lane)
	for i := range p.Lanes {
		lanes[p.Lanes[i].ID] = &p.Lanes[i]
	}
	wanted := Wanted(p, only)
	contexts := make(map[string]*JobContext)
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if !wanted[j.ID] {
			continue
		}
		own := make(map[string]string, len(j.Secrets))
		for _, name := range j.Secrets {
			own[name] = secrets[name]
		}
		contexts[j.ID] = &JobContext{RunContext: run, Job: j, Lane: lanes[j.Lane], Limits: limits,
			Secrets: own, Dir: filepath.Join(run.Dir, "jobs", j.ID)}
	}
	return contexts
}

// Wanted are the ids of one job, or of several with commas between them, and of
// those that they need, or of all.
func Wanted(p *plan.Plan, only string) map[string]bool {
	needs := make(map[string][]string, len(p.Jobs))
	for _, j := range p.Jobs {
		needs[j.ID] = j.Needs
	}
	wanted := make(map[string]bool)
	var add func(id string)
	add = func(id string) {
		if !wanted[id] {
			wanted[id] = true
			for _, n := range needs[id] {
				add(n)
			}
		}
	}
	several := strings.Split(only, ",")
	for _, j := range p.Jobs {
		if only == "" || slices.Contains(several, j.ID) {
			add(j.ID)
		}
	}
	return wanted
}
