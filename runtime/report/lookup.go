package report

import (
	"slices"
	"time"

	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// lookup finds what belongs together in a run and its plan. A search of all nodes
// for each step would take minutes for a run of thousands.
type lookup struct {
	run   record.Run
	nodes map[string]*plan.Node
	lanes map[string]string // by job
	jobs  map[string]*record.JobRecord
	// begun is when a lane's instances and host commands were, in order.
	begun map[string][]time.Time
	// slots are who had slots for each operation, by when they got them.
	slots map[string][]holder
}

// holder is a node that ran, and the slot that it had.
type holder struct {
	node, name string
	from       time.Time
	// end is nil while it has the slot.
	end *time.Time
}

func newLookup(r record.Run, p *plan.Plan) *lookup {
	l := &lookup{run: r, nodes: map[string]*plan.Node{}, lanes: map[string]string{}, jobs: jobsByID(r),
		begun: map[string][]time.Time{}, slots: map[string][]holder{}}
	for i := range p.Nodes {
		l.nodes[p.Nodes[i].ID] = &p.Nodes[i]
	}
	for i := range p.Jobs {
		l.lanes[p.Jobs[i].ID] = p.Jobs[i].Lane
	}
	gone := deletionsOf(r)
	for i := range r.Nodes {
		n := &r.Nodes[i]
		planned := l.nodes[n.ID]
		if planned == nil || n.StartedAt == nil {
			continue
		}
		h := holder{node: n.ID, name: n.ID, from: *n.StartedAt, end: n.EndedAt}
		if job := jobOfNode(planned); job != "" {
			h.name, h.end = job, gone.slotEnd(job, n.EndedAt)
		}
		if planned.NixBuild == nil { // builds are of no group
			lane := l.laneOf(planned)
			l.begun[lane] = append(l.begun[lane], h.from)
		}
		l.slots[operation(planned)] = append(l.slots[operation(planned)], h)
	}
	for _, times := range l.begun {
		slices.SortFunc(times, time.Time.Compare)
	}
	for _, holders := range l.slots {
		slices.SortStableFunc(holders, func(a, b holder) int { return a.from.Compare(b.from) })
	}
	return l
}

func jobsByID(r record.Run) map[string]*record.JobRecord {
	jobs := make(map[string]*record.JobRecord, len(r.Jobs))
	for i := range r.Jobs {
		jobs[r.Jobs[i].ID] = &r.Jobs[i]
	}
	return jobs
}

// laneOf is the lane of an instance or a command; empty for a build, which
// several may share.
func (l *lookup) laneOf(n *plan.Node) string { return l.lanes[jobOfNode(n)] }

// nextBegun is when the first of a lane's instances and host commands was begun
// since; zero where none was.
func (l *lookup) nextBegun(lane string, since time.Time) time.Time {
	times := l.begun[lane]
	if i, _ := slices.BinarySearchFunc(times, since, time.Time.Compare); i < len(times) {
		return times[i]
	}
	return time.Time{}
}

// slotHolders are the jobs, or the builds, that had slots of the node's kind
// in that time, by when they got them.
func (l *lookup) slotHolders(n *plan.Node, from, to time.Time) []string {
	var names []string
	for _, h := range l.slots[operation(n)] {
		if h.from.After(to) {
			break
		}
		if h.node != n.ID && (h.end == nil || h.end.After(from)) {
			names = append(names, h.name)
		}
	}
	return names
}
