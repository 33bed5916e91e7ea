package record

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// RunSchemaVersion is of run.json.
const RunSchemaVersion = 1

// Run is run.json: what happened, folded from the events.
type Run struct {
	SchemaVersion int    `json:"schema_version"`
	ID            string `json:"id"`
	Pikaci        string `json:"pikaci"`
	PlanDigest    string `json:"plan_digest"`
	// HostDigest is of what the host decided in place of the plan.
	HostDigest string `json:"host_digest,omitempty"`
	// TraceParent and Trace are as in run_started.
	TraceParent string    `json:"trace_parent,omitempty"`
	Trace       string    `json:"trace,omitempty"`
	SourceRoot  string    `json:"source_root"`
	RunDir      string    `json:"run_dir"`
	StartedAt   time.Time `json:"started_at"`
	// PrepareOnly says that only payloads were built.
	PrepareOnly bool `json:"prepare_only,omitempty"`
	// FinishedAt is missing while the run goes on, and for ever where it
	// was killed.
	FinishedAt  *time.Time    `json:"finished_at,omitempty"`
	DurationMS  int64         `json:"duration_ms"`
	Verdict     event.Verdict `json:"verdict,omitempty"`
	ExitCode    *int          `json:"exit_code,omitempty"`
	Reason      string        `json:"reason,omitempty"`
	Interrupted string        `json:"interrupted,omitempty"`
	// Resumed is how often another process went on with the run.
	Resumed  int                  `json:"resumed,omitempty"`
	Snapshot *event.SnapshotTaken `json:"snapshot,omitempty"`
	Lanes    []LaneRecord         `json:"lanes"`
	Jobs     []JobRecord          `json:"jobs"`
	Nodes    []NodeRecord         `json:"nodes"`
	// Phases are the run's own; those of jobs and nodes stand there.
	Phases []PhaseRecord `json:"phases"`
	// Leases are what was made for the run and not yet taken back.
	Leases []event.Lease     `json:"leases"`
	Left   []event.LeaseLeft `json:"left"`
	// Kept are instances that were kept for somebody to look into; some may
	// be gone by now.
	Kept []event.LeaseKept `json:"kept,omitempty"`
}

// LaneRecord is a lane and its verdict.
type LaneRecord struct {
	ID      string        `json:"id"`
	Verdict event.Verdict `json:"verdict,omitempty"`
	// WaitedFor are who had the lane's concurrency group when it wanted it.
	WaitedFor []string `json:"waited_for,omitempty"`
	// Waits are the same, with the group and the time.
	Waits []GroupWait `json:"waits,omitempty"`
}

// GroupWait is a lane's wait for its concurrency group, which lasts until its
// next instance or host command is begun.
type GroupWait struct {
	Group     string    `json:"group"`
	Holder    string    `json:"holder"`
	StartedAt time.Time `json:"started_at"`
}

// JobRecord is a job: how it ended, its phases and its artifacts.
type JobRecord struct {
	ID   string `json:"id"`
	Lane string `json:"lane,omitempty"`
	event.Outcome
	DurationMS int64                `json:"duration_ms"`
	Phases     []PhaseRecord        `json:"phases"`
	Artifacts  []event.Artifact     `json:"artifacts"`
	Truncated  []event.LogTruncated `json:"truncated"`
	// Result says what its result hangs on, and whether an earlier pass had the
	// same; nil where none may stand in for it, or was looked for.
	Result *event.ResultLookedUp `json:"result,omitempty"`
	// Waits are for what its lane keeps for host jobs.
	Waits []CacheWait `json:"waits,omitempty"`
}

// CacheWait is a host job's wait for what its lane keeps, which lasts until it
// is begun.
type CacheWait struct {
	Holder    string    `json:"holder"`
	StartedAt time.Time `json:"started_at"`
}

// NodeRecord is a node and how it ended.
type NodeRecord struct {
	ID        string     `json:"id"`
	Attempts  int        `json:"attempts"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	event.Outcome
	// Retried are the outcomes of earlier attempts.
	Retried []event.Outcome `json:"retried"`
	Phases  []PhaseRecord   `json:"phases"`
}

// PhaseRecord is a stretch of time. One that never ended has no end.
type PhaseRecord struct {
	Phase      event.Phase `json:"phase"`
	Detail     string      `json:"detail,omitempty"`
	StartedAt  time.Time   `json:"started_at"`
	EndedAt    *time.Time  `json:"ended_at,omitempty"`
	DurationMS int64       `json:"duration_ms"`
	Error      string      `json:"error,omitempty"`
}

// PreparedOutputs is prepared-outputs.json: what the prepare nodes built.
type PreparedOutputs struct {
	SchemaVersion int                  `json:"schema_version"`
	Outputs       []event.PayloadReady `json:"outputs"`
}

// Fold makes a Run of events, one after the other. The zero value is ready.
type Fold struct {
	run     Run
	jobs    map[string]*JobRecord
	nodes   map[string]*NodeRecord
	order   []string // jobs
	nOrder  []string // nodes
	leases  map[string]event.Lease
	outputs []event.PayloadReady
	// earlier are how many artifacts of each job are of earlier attempts.
	earlier map[string]int
}

// Add takes the next event. Events that it does not know change nothing.
func (f *Fold) Add(e event.Event) {
	if f.jobs == nil {
		f.jobs, f.nodes, f.leases = map[string]*JobRecord{}, map[string]*NodeRecord{}, map[string]event.Lease{}
	}
	switch {
	case e.JournalOpened != nil:
		f.run.ID, f.run.Pikaci, f.run.StartedAt = e.JournalOpened.RunID, e.JournalOpened.Pikaci, e.Time
	case e.RunStarted != nil:
		f.runStarted(e.RunStarted)
	case e.SnapshotTaken != nil:
		f.run.Snapshot = e.SnapshotTaken
	case e.Interrupted != nil:
		f.run.Interrupted = e.Interrupted.Reason
	case e.PayloadReady != nil:
		f.payload(*e.PayloadReady)
	case e.Resumed != nil:
		f.run.Resumed++
		// What the earlier owner knew of an instance says nothing of one that
		// is made from now on.
		for _, j := range f.jobs {
			if j.Verdict == "" {
				j.Result = nil
			}
		}
	case e.RunFinished != nil:
		t := e.Time
		f.run.FinishedAt, f.run.DurationMS = &t, e.RunFinished.DurationMS
		f.run.Verdict, f.run.Reason = e.RunFinished.Verdict, e.RunFinished.Reason
		f.run.ExitCode = &e.RunFinished.ExitCode
	default:
		f.addPart(e)
	}
}

// payload keeps one output for a node: a build that was under way as the run
// was killed is done again.
func (f *Fold) payload(p event.PayloadReady) {
	for i := range f.outputs {
		if f.outputs[i].Node == p.Node {
			f.outputs[i] = p
			return
		}
	}
	f.outputs = append(f.outputs, p)
}

func (f *Fold) runStarted(s *event.RunStarted) {
	f.run.PlanDigest, f.run.SourceRoot, f.run.RunDir = s.PlanDigest, s.SourceRoot, s.RunDir
	f.run.PrepareOnly, f.run.HostDigest = s.PrepareOnly, s.HostDigest
	f.run.TraceParent, f.run.Trace = s.TraceParent, s.Trace
	for _, l := range s.Lanes {
		f.run.Lanes = append(f.run.Lanes, LaneRecord{ID: l})
	}
	for _, j := range s.Jobs {
		f.job(j)
	}
}

// addPart takes events of a lane, a job, a node or a lease.
func (f *Fold) addPart(e event.Event) {
	switch {
	case e.NodeStarted != nil:
		n := f.node(e.NodeStarted.Node)
		f.again(e.NodeStarted, n.Attempts)
		n.Attempts = e.NodeStarted.Attempt
		if n.StartedAt == nil {
			n.StartedAt = &e.Time
		}
	case e.NodeRetried != nil:
		n := f.node(e.NodeRetried.Node)
		n.Retried = append(n.Retried, e.NodeRetried.Outcome)
	case e.NodeFinished != nil:
		n := f.node(e.NodeFinished.Node)
		n.Outcome, n.EndedAt = e.NodeFinished.Outcome, &e.Time
	case e.JobFinished != nil:
		j := f.job(e.JobFinished.Job)
		j.Lane, j.Outcome, j.DurationMS = e.JobFinished.Lane, e.JobFinished.Outcome, e.JobFinished.DurationMS
	case e.ResultLookedUp != nil:
		f.job(e.ResultLookedUp.Job).Result = e.ResultLookedUp
	case e.GroupWaited != nil:
		for i := range f.run.Lanes {
			if l := &f.run.Lanes[i]; l.ID == e.GroupWaited.Lane {
				l.WaitedFor = append(l.WaitedFor, e.GroupWaited.Holder)
				l.Waits = append(l.Waits, GroupWait{Group: e.GroupWaited.Group, Holder: e.GroupWaited.Holder, StartedAt: e.Time})
			}
		}
	case e.CacheWaited != nil:
		j := f.job(e.CacheWaited.Job)
		j.Waits = append(j.Waits, CacheWait{Holder: e.CacheWaited.Holder, StartedAt: e.Time})
	case e.LaneFinished != nil:
		for i := range f.run.Lanes {
			if f.run.Lanes[i].ID == e.LaneFinished.Lane {
				f.run.Lanes[i].Verdict = e.LaneFinished.Verdict
			}
		}
	case e.Artifact != nil:
		j := f.job(e.Artifact.Job)
		j.Artifacts = append(j.Artifacts, *e.Artifact)
	case e.LogTruncated != nil:
		j := f.job(e.LogTruncated.Job)
		j.Truncated = append(j.Truncated, *e.LogTruncated)
	case e.PhaseStarted != nil:
		p := f.phases(e.PhaseStarted.Job, e.PhaseStarted.Node)
		*p = append(*p, PhaseRecord{Phase: e.PhaseStarted.Phase, Detail: e.PhaseStarted.Detail, StartedAt: e.Time})
	case e.PhaseFinished != nil:
		f.endPhase(e)
	case e.LeaseIntended != nil:
		f.leases[e.LeaseIntended.Name] = *e.LeaseIntended
	case e.LeaseTaken != nil:
		f.leases[e.LeaseTaken.Name] = *e.LeaseTaken
	case e.LeaseReleased != nil:
		delete(f.leases, e.LeaseReleased.Name)
	case e.LeaseLeft != nil:
		f.run.Left = append(f.run.Left, *e.LeaseLeft)
	case e.LeaseKept != nil:
		delete(f.leases, e.LeaseKept.Name)
		f.run.Kept = append(f.run.Kept, *e.LeaseKept)
	}
}

// again forgets the artifacts of an attempt that is made once more: all of them
// come again.
func (f *Fold) again(s *event.NodeStarted, before int) {
	job, found := strings.CutPrefix(s.Node, plan.ExecuteID(""))
	j := f.jobs[job]
	if !found || j == nil {
		return
	}
	if s.Attempt == before {
		j.Artifacts = j.Artifacts[:f.earlier[job]]
	}
	if f.earlier == nil {
		f.earlier = map[string]int{}
	}
	f.earlier[job] = len(j.Artifacts)
}

// phases is the list that a phase belongs to: the job's, else the node's, else
// the run's.
func (f *Fold) phases(job, node string) *[]PhaseRecord {
	switch {
	case job != "":
		return &f.job(job).Phases
	case node != "":
		return &f.node(node).Phases
	}
	return &f.run.Phases
}

func (f *Fold) endPhase(e event.Event) {
	end := e.PhaseFinished
	list := *f.phases(end.Job, end.Node)
	for i := len(list) - 1; i >= 0; i-- {
		if p := &list[i]; p.Phase == end.Phase && p.EndedAt == nil {
			p.EndedAt, p.DurationMS, p.Error = &e.Time, end.DurationMS, end.Error
			return
		}
	}
}

func (f *Fold) job(id string) *JobRecord {
	if f.jobs[id] == nil {
		f.jobs[id] = &JobRecord{ID: id, Phases: []PhaseRecord{}, Artifacts: []event.Artifact{}, Truncated: []event.LogTruncated{}}
		f.order = append(f.order, id)
	}
	return f.jobs[id]
}

func (f *Fold) node(id string) *NodeRecord {
	if f.nodes[id] == nil {
		f.nodes[id] = &NodeRecord{ID: id, Retried: []event.Outcome{}, Phases: []PhaseRecord{}}
		f.nOrder = append(f.nOrder, id)
	}
	return f.nodes[id]
}

// Run is the record as of the last event. It shares nothing with the fold that
// a later event changes.
func (f *Fold) Run() Run {
	r := f.run
	r.SchemaVersion = RunSchemaVersion
	r.Jobs, r.Nodes = []JobRecord{}, []NodeRecord{}
	for _, id := range f.order {
		j := *f.jobs[id]
		j.Phases = slices.Clone(j.Phases)
		r.Jobs = append(r.Jobs, j)
	}
	for _, id := range f.nOrder {
		n := *f.nodes[id]
		n.Phases = slices.Clone(n.Phases)
		r.Nodes = append(r.Nodes, n)
	}
	r.Leases = []event.Lease{}
	for _, name := range slices.Sorted(maps.Keys(f.leases)) {
		r.Leases = append(r.Leases, f.leases[name])
	}
	r.Lanes = append([]LaneRecord{}, r.Lanes...)
	r.Phases = append([]PhaseRecord{}, r.Phases...)
	r.Left = append([]event.LeaseLeft{}, r.Left...)
	r.Kept = slices.Clone(r.Kept)
	return r
}

// Outputs are the payloads as of the last event.
func (f *Fold) Outputs() PreparedOutputs {
	return PreparedOutputs{SchemaVersion: RunSchemaVersion, Outputs: append([]event.PayloadReady{}, f.outputs...)}
}
