package report

import (
	"slices"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// Step is a stretch of the time that something took: a phase of the run, a
// node, or the wait for a slot before it. Steps follow one another without a
// gap.
type Step struct {
	// Node is empty for a phase of the run.
	Node string `json:"node,omitempty"`
	Job  string `json:"job,omitempty"`
	// What is the phase, build, instance, command, or wait.
	What       string    `json:"what"`
	StartedAt  time.Time `json:"started_at"`
	DurationMS int64     `json:"duration_ms"`
	// Group is the concurrency group that was waited for.
	Group string `json:"group,omitempty"`
	// Holders are who had it, or the jobs and builds that had the slots.
	Holders []string `json:"holders,omitempty"`
	// Phases are the parts of a node that were measured.
	Phases []record.PhaseRecord `json:"phases,omitempty"`
}

// What a node does that could start and had no slot, or whose lane did not
// have its concurrency group; or which nobody kept from starting, on a machine
// that had too much to do.
const (
	waitToStart  = "wait to start"
	waitForSlot  = "wait for a slot"
	waitForGroup = "wait for a concurrency group"
	waitForCache = "wait for what the lane keeps"
)

// Path is what the end of a node had to wait for, first to last: of all that
// it depends on always that which ended last, and what that waited for, up to
// the beginning of the run. A node that has not ended ends now; one that was
// skipped took no time.
func Path(r record.Run, p *plan.Plan, node string, now time.Time) []Step {
	return newLookup(r, p).path(node, now)
}

func (l *lookup) path(node string, now time.Time) []Step {
	r := l.run
	nodes := make(map[string]*record.NodeRecord)
	for i := range r.Nodes {
		nodes[r.Nodes[i].ID] = &r.Nodes[i]
	}
	var steps []Step // last to first
	for id := node; id != ""; {
		n, planned := nodes[id], l.nodes[id]
		if n == nil || planned == nil {
			break
		}
		ran := n.StartedAt != nil
		if ran {
			steps = append(steps, l.nodeStep(n, planned, now))
		}
		latest, ready := "", time.Time{}
		for _, d := range planned.DependsOn {
			if dep := nodes[d]; dep != nil && dep.EndedAt != nil && dep.EndedAt.After(ready) {
				latest, ready = d, *dep.EndedAt
			}
		}
		if latest == "" {
			ready = beginningEnd(r)
		}
		if ran {
			waits := l.waitsOf(planned, ready, *n.StartedAt)
			slices.Reverse(waits)
			steps = append(steps, waits...)
		}
		id = latest
	}
	slices.Reverse(steps)
	return append(runSteps(r, now), steps...)
}

// name is what a step is called.
func (s Step) name() string {
	switch {
	case s.Node == "":
		return s.What
	case s.What == waitForSlot:
		return s.Node + " waits for a slot, had by " + several(s.Holders)
	case s.What == waitToStart:
		return s.Node + " waits to start"
	case s.What == waitForGroup:
		return s.Node + " waits for group " + s.Group + ", had by " + several(s.Holders)
	case s.What == waitForCache:
		return s.Node + " waits for what its lane keeps, had by " + several(s.Holders)
	}
	return s.Node
}

// runSteps are the phases of the run itself.
func runSteps(r record.Run, now time.Time) []Step {
	var steps []Step
	for _, ph := range r.Phases {
		steps = append(steps, Step{What: string(ph.Phase), StartedAt: ph.StartedAt, DurationMS: phaseTime(ph, now)})
	}
	return steps
}

// minWait is the least time between a node that could start and its start
// that is told of: what is less is the loop's own.
const minWait = 100 * time.Millisecond

// beginningEnd is when the run's own phases, before all nodes, were over.
func beginningEnd(r record.Run) time.Time {
	end := r.StartedAt
	for _, ph := range r.Phases {
		if ph.EndedAt != nil && (ph.Phase == event.HostSetup || ph.Phase == event.Snapshot) && ph.EndedAt.After(end) {
			end = *ph.EndedAt
		}
	}
	return end
}

func (l *lookup) nodeStep(n *record.NodeRecord, planned *plan.Node, now time.Time) Step {
	s := Step{Node: n.ID, Job: jobOfNode(planned), StartedAt: *n.StartedAt, What: operation(planned)}
	end := now
	if n.EndedAt != nil {
		end = *n.EndedAt
	}
	s.DurationMS = max(0, end.Sub(s.StartedAt).Milliseconds())
	s.Phases = phasesOf(n, l.jobs[s.Job], end)
	return s
}

// phasesOf are a node's phases: its own, and those of its job that lie within
// its time.
func phasesOf(n *record.NodeRecord, job *record.JobRecord, end time.Time) []record.PhaseRecord {
	phases := slices.Clone(n.Phases)
	if job == nil {
		return phases
	}
	for _, ph := range job.Phases {
		if !ph.StartedAt.Before(*n.StartedAt) && ph.StartedAt.Before(end) && ph.Phase != event.Delete {
			phases = append(phases, ph)
		}
	}
	return phases
}

// LastNode is the node that ended last, of those that ran; empty where none
// did.
func LastNode(r record.Run) string {
	last, at := "", time.Time{}
	for _, n := range r.Nodes {
		if n.StartedAt != nil && n.EndedAt != nil && n.EndedAt.After(at) {
			last, at = n.ID, *n.EndedAt
		}
	}
	return last
}

// operation is what a node does, in a word.
func operation(n *plan.Node) string {
	switch {
	case n.NixBuild != nil:
		return "build"
	case n.IncusInstance != nil:
		return "instance"
	}
	return "command"
}

// jobOfNode is the job of an instance or a command; a build is for several.
func jobOfNode(n *plan.Node) string {
	if n.NixBuild != nil || len(n.Jobs) == 0 {
		return ""
	}
	return n.Jobs[0]
}

// phaseTime is how long a phase took, or has taken.
func phaseTime(ph record.PhaseRecord, now time.Time) int64 {
	if ph.EndedAt != nil {
		return ph.DurationMS
	}
	return max(0, now.Sub(ph.StartedAt).Milliseconds())
}
