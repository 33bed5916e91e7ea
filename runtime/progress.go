package runtime

import (
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Progress is how far a run came whose owner was killed, as its journal tells.
// The zero value is of an empty journal.
type Progress struct {
	// Began is when the journal was opened.
	Began   time.Time
	Started *event.RunStarted
	// Setup are the host_setup commands that ended well, by their phase's
	// detail.
	Setup    map[string]bool
	Snapshot *event.SnapshotTaken
	// Interrupted is why the run was asked to stop, empty where it was not.
	Interrupted string
	Finished    *event.RunFinished
	Nodes       map[string]*NodeProgress
	Jobs        map[string]event.JobFinished
	Lanes       map[string]bool
	// Leases are not taken back yet, by job.
	Leases map[string]event.Lease
	// Outputs are what was built, by node.
	Outputs map[string]event.PayloadReady
}

// NodeProgress is how far a node came.
type NodeProgress struct {
	// Attempt is the last one that was started.
	Attempt int
	Since   time.Time
	// Stdout and Stderr are how long the job's logs were before that attempt.
	Stdout, Stderr int64
	// Retried says that the attempt failed and another one is to follow.
	Retried bool
	// Begun says that the attempt's command may have been begun in the
	// instance that the job's lease is of.
	Begun bool
	// Kept says that an artifact of the attempt was kept.
	Kept    bool
	Outcome *event.Outcome
}

// Add takes the next event of the journal.
func (p *Progress) Add(e event.Event) {
	if p.Nodes == nil {
		*p = Progress{Setup: map[string]bool{}, Nodes: map[string]*NodeProgress{}, Jobs: map[string]event.JobFinished{},
			Lanes: map[string]bool{}, Leases: map[string]event.Lease{}, Outputs: map[string]event.PayloadReady{}}
	}
	switch {
	case e.JournalOpened != nil:
		p.Began = e.Time
	case e.RunStarted != nil:
		p.Started = e.RunStarted
	case e.PhaseStarted != nil:
		if s := e.PhaseStarted; s.Job != "" && (s.Phase == event.Workspace || s.Phase == event.Command) {
			p.node(plan.ExecuteID(s.Job)).Begun = true
		}
	case e.PhaseFinished != nil:
		if f := e.PhaseFinished; f.Phase == event.HostSetup && f.Error == "" {
			p.Setup[f.Detail] = true
		}
	case e.SnapshotTaken != nil:
		p.Snapshot = e.SnapshotTaken
	case e.Interrupted != nil:
		p.Interrupted = e.Interrupted.Reason
	case e.RunFinished != nil:
		p.Finished = e.RunFinished
	case e.JobFinished != nil:
		p.Jobs[e.JobFinished.Job] = *e.JobFinished
	case e.LaneFinished != nil:
		p.Lanes[e.LaneFinished.Lane] = true
	case e.PayloadReady != nil:
		p.Outputs[e.PayloadReady.Node] = *e.PayloadReady
	case e.Artifact != nil:
		p.node(plan.ExecuteID(e.Artifact.Job)).Kept = true
	default:
		p.addNode(e)
	}
}

func (p *Progress) addNode(e event.Event) {
	switch {
	case e.NodeStarted != nil:
		n := p.node(e.NodeStarted.Node)
		if n.Since.IsZero() {
			n.Since = e.Time
		}
		if n.Attempt != e.NodeStarted.Attempt {
			n.Begun, n.Kept = false, false
		}
		n.Attempt, n.Retried = e.NodeStarted.Attempt, false
		n.Stdout, n.Stderr = e.NodeStarted.Stdout, e.NodeStarted.Stderr
	case e.NodeRetried != nil:
		p.node(e.NodeRetried.Node).Retried = true
	case e.NodeFinished != nil:
		p.node(e.NodeFinished.Node).Outcome = &e.NodeFinished.Outcome
	case e.LeaseIntended != nil:
		// Nothing was begun in a new instance.
		p.node(plan.ExecuteID(e.LeaseIntended.Job)).Begun = false
		p.Leases[e.LeaseIntended.Job] = *e.LeaseIntended
	case e.LeaseTaken != nil:
		p.Leases[e.LeaseTaken.Job] = *e.LeaseTaken
	case e.LeaseReleased != nil:
		delete(p.Leases, e.LeaseReleased.Job)
	case e.LeaseKept != nil:
		delete(p.Leases, e.LeaseKept.Job) // it is not the run's any more
	}
}

func (p *Progress) node(id string) *NodeProgress {
	if p.Nodes[id] == nil {
		p.Nodes[id] = &NodeProgress{}
	}
	return p.Nodes[id]
}
