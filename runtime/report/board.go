package report

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Board is what goes on in a run: a fold of its events, without a clock, a
// terminal or a goroutine.
type Board struct {
	plan  *plan.Plan
	usual map[string]time.Duration
	byID  map[string]*plan.Node

	began    time.Time
	slots    int
	cpus     int
	jobs     map[string]bool // to be run
	wanted   int
	phases   []phase
	started  map[string]time.Time // nodes under way
	over     map[string]bool      // nodes that ended
	ended    map[string]bool      // jobs that ended
	verdicts map[event.Verdict]int
	holders  map[string]string // by lane that waits for its group
	keepers  map[string]string // by job that waits for what its lane keeps
	stopping string
	prepare  bool
}

// phase is one that goes on.
type phase struct {
	event.PhaseStarted
	since time.Time
	// bytes of total are copied.
	bytes, total int64
}

// NewBoard is of a run of the plan that says nothing yet. usual is how long
// nodes took in earlier runs.
func NewBoard(p *plan.Plan, usual map[string]time.Duration) *Board {
	b := &Board{plan: p, usual: usual, byID: map[string]*plan.Node{}, jobs: map[string]bool{}, started: map[string]time.Time{},
		over: map[string]bool{}, ended: map[string]bool{}, verdicts: map[event.Verdict]int{}, holders: map[string]string{}, keepers: map[string]string{}}
	for i := range p.Nodes {
		b.byID[p.Nodes[i].ID] = &p.Nodes[i]
	}
	return b
}

// Add takes the next event.
func (b *Board) Add(e event.Event) {
	switch {
	case e.JournalOpened != nil:
		b.began = e.Time
	case e.RunStarted != nil:
		b.cpus = e.RunStarted.CPUs
		b.slots, b.prepare, b.wanted = e.RunStarted.Parallel, e.RunStarted.PrepareOnly, len(e.RunStarted.Jobs)
		if b.began.IsZero() {
			b.began = e.Time
		}
		for _, id := range e.RunStarted.Jobs {
			b.jobs[id] = true
		}
	case e.PhaseStarted != nil:
		b.phases = append(b.phases, phase{PhaseStarted: *e.PhaseStarted, since: e.Time})
	case e.PhaseFinished != nil:
		f := e.PhaseFinished
		b.phases = slices.DeleteFunc(b.phases, func(p phase) bool { return p.Phase == f.Phase && p.Node == f.Node && p.Job == f.Job })
	case e.Transfer != nil:
		t := e.Transfer
		for i := range b.phases {
			if p := &b.phases[i]; p.Phase == t.Phase && p.Node == t.Node && p.Job == t.Job {
				p.bytes, p.total = t.Bytes, t.TotalBytes
			}
		}
	case e.NodeStarted != nil:
		b.startNode(e.NodeStarted.Node, e.Time)
	case e.NodeRetried != nil:
		b.endNode(e.NodeRetried.Node)
	case e.NodeFinished != nil:
		b.endNode(e.NodeFinished.Node)
		b.over[e.NodeFinished.Node] = true
	case e.GroupWaited != nil:
		b.holders[e.GroupWaited.Lane] = e.GroupWaited.Holder
	case e.CacheWaited != nil:
		b.keepers[e.CacheWaited.Job] = e.CacheWaited.Holder
	case e.JobFinished != nil:
		b.ended[e.JobFinished.Job] = true
		b.verdicts[e.JobFinished.Verdict]++
	case e.Interrupted != nil:
		b.stopping = e.Interrupted.Reason
	}
}

func (b *Board) startNode(id string, at time.Time) {
	b.started[id] = at
	// A lane has its group once a node of it runs that is no build.
	if n := b.byID[id]; n != nil && n.NixBuild == nil {
		for i := range b.plan.Jobs {
			if j := &b.plan.Jobs[i]; slices.Contains(n.Jobs, j.ID) {
				delete(b.holders, j.Lane)
			}
		}
	}
}

func (b *Board) endNode(id string) {
	delete(b.started, id)
	b.phases = slices.DeleteFunc(b.phases, func(p phase) bool { return p.Node == id })
}

// Heartbeat is what goes on now.
func (b *Board) Heartbeat(now time.Time) event.Heartbeat {
	h := event.Heartbeat{ElapsedMS: b.since(b.began, now).Milliseconds(), Slots: b.slots, CPUs: b.cpus, Running: []event.Running{}, Waiting: []event.Waiting{}}
	for _, p := range b.phases {
		if p.Node == "" && p.Job == "" {
			h.Running = append(h.Running, event.Running{Phase: p.Phase, ElapsedMS: b.since(p.since, now).Milliseconds(), Bytes: p.bytes, TotalBytes: p.total})
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(b.started), b.inPlanOrder) {
		r := event.Running{Node: id, ElapsedMS: b.since(b.started[id], now).Milliseconds(), UsualMS: b.usual[id].Milliseconds()}
		if n := b.byID[id]; n != nil && n.NixBuild == nil && len(n.Jobs) > 0 {
			r.Job = n.Jobs[0]
			if commands(n) {
				h.SlotsUsed++
				h.CPUsUsed += b.cpusOf(r.Job)
			}
		}
		for _, p := range b.phases {
			if p.Node == id || p.Node == "" && r.Job != "" && p.Job == r.Job {
				r.Phase, r.Bytes, r.TotalBytes = p.Phase, p.bytes, p.total // the last one that was begun
			}
		}
		h.Running = append(h.Running, r)
	}
	if !b.prepare {
		h.Waiting = b.waiting()
	}
	return h
}

func (b *Board) inPlanOrder(x, y string) int {
	at := func(id string) int {
		return slices.IndexFunc(b.plan.Nodes, func(n plan.Node) bool { return n.ID == id })
	}
	if c := at(x) - at(y); c != 0 {
		return c
	}
	return strings.Compare(x, y)
}

// cpusOf is how many processors a job counts for, where they are counted.
func (b *Board) cpusOf(job string) int {
	for i := range b.plan.Jobs {
		if j := &b.plan.Jobs[i]; b.cpus > 0 && j.ID == job {
			if j.Host() {
				return 1
			}
			return j.Incus.CPUs
		}
	}
	return 0
}

func commands(n *plan.Node) bool { return n.GuestCommand != nil || n.HostCommand != nil }

// since is never below nothing: clocks are set back.
func (b *Board) since(t, now time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(0, now.Sub(t))
}

// waiting are the jobs whose commands are not begun, and what each waits for.
func (b *Board) waiting() []event.Waiting {
	all := []event.Waiting{}
	for i := range b.plan.Jobs {
		j := &b.plan.Jobs[i]
		n := b.byID[plan.ExecuteID(j.ID)]
		if _, runs := b.started[plan.ExecuteID(j.ID)]; runs || n == nil || !b.jobs[j.ID] || b.ended[j.ID] || b.over[n.ID] {
			continue
		}
		all = append(all, b.waitsFor(j, n))
	}
	return all
}

// waitsFor is the group, else the payload, else the job or instance, else a
// slot: what is named first takes longest as a rule.
func (b *Board) waitsFor(j *plan.Job, n *plan.Node) event.Waiting {
	w := event.Waiting{Job: j.ID, For: event.ForSlot}
	if holder, waits := b.holders[j.Lane]; waits {
		w.For, w.Name = event.ForGroup, holder
		return w
	}
	if keeper, waits := b.keepers[j.ID]; waits {
		w.For, w.Name = event.ForCache, keeper
		return w
	}
	for _, id := range n.DependsOn {
		d := b.byID[id]
		if d == nil || b.over[id] {
			continue
		}
		switch {
		case d.NixBuild != nil:
			return event.Waiting{Job: j.ID, For: event.ForPayload, Name: id}
		case commands(d):
			w.For, w.Name = event.ForJob, d.Jobs[0]
		case w.For == event.ForSlot:
			w.For, w.Name = event.ForInstance, id
		}
	}
	if !b.snapshotIsTaken() {
		w.For, w.Name = event.ForSnapshot, ""
	}
	return w
}

// snapshotIsTaken: no node starts before.
func (b *Board) snapshotIsTaken() bool { return len(b.started)+len(b.over) > 0 }
