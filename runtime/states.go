package runtime

import (
	"container/heap"
	"fmt"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// state is where a node stands. The transitions:
//
//	waiting --all dependencies passed--> ready --start--> running --finish--> ended
//	   |                                   |
//	   +-----a dependency did not pass-----+-----------------------skip-----> ended
//
// Nothing leaves ended: every node ends exactly once.
type state uint8

const (
	// waiting: a dependency has not ended.
	waiting state = iota
	// ready: may start as soon as there is a slot.
	ready
	// running: a worker carries it out.
	running
	// ended: it has its verdict.
	ended
)

// class is what kind of slot a node takes.
type class uint8

const (
	classBuild class = iota
	classInstance
	classCommand
	classes
)

func classOf(n *plan.Node) class {
	switch {
	case n.NixBuild != nil:
		return classBuild
	case n.IncusInstance != nil:
		return classInstance
	case n.GuestCommand != nil, n.HostCommand != nil:
		return classCommand
	}
	panic(fmt.Sprintf("BUG: node %q has no operation", n.ID))
}

// nodeState is one node and what is known of it.
type nodeState struct {
	node *plan.Node
	// index is its place in the plan; ties are broken by it.
	index int
	state state
	// open counts the dependencies that have not ended.
	open       int
	dependents []*nodeState
	// remaining is the longest time from the node's start to the end of all
	// that waits for it.
	remaining time.Duration
	// always: a finally job's command, which runs however the commands that
	// it waits for ended.
	always bool
}

// states knows which node may start. It is pure: no goroutine, no clock, no
// I/O; one goroutine owns it.
type states struct {
	nodes map[string]*nodeState
	order []*nodeState
	ready [classes]readyQueue
	// parked are ready too, and not in the queues: their lane has to wait.
	parked []*nodeState
	left   int
}

// skipped is a node that will never run, and the node whose end made it so.
type skipped struct {
	node    *plan.Node
	because *plan.Node
}

// newStates readies the nodes of p that take returns true for. weight is how
// long a node is thought to take.
func newStates(p *plan.Plan, take func(*plan.Node) bool, weight func(*plan.Node) time.Duration) *states {
	s := &states{nodes: make(map[string]*nodeState, len(p.Nodes))}
	finally := make(map[string]bool)
	for i := range p.Jobs {
		if p.Jobs[i].Finally {
			finally[plan.ExecuteID(p.Jobs[i].ID)] = true
		}
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if !take(n) {
			continue
		}
		st := &nodeState{node: n, index: i, always: finally[n.ID]}
		s.nodes[n.ID] = st
		s.order = append(s.order, st)
		for _, d := range n.DependsOn {
			// A dependency that is not taken counts as met.
			if dep := s.nodes[d]; dep != nil {
				dep.dependents = append(dep.dependents, st)
				st.open++
			}
		}
	}
	s.left = len(s.order)
	for i := len(s.order) - 1; i >= 0; i-- {
		st := s.order[i]
		for _, d := range st.dependents {
			st.remaining = max(st.remaining, d.remaining)
		}
		st.remaining += weight(st.node)
	}
	for _, st := range s.order {
		s.readyIfOpen(st)
	}
	return s
}

// next is the ready node of the class that has the longest remaining path, or
// nil. It stays ready until start.
func (s *states) next(c class) *plan.Node {
	q := &s.ready[c]
	for q.Len() > 0 {
		if st := (*q)[0]; st.state == ready {
			return st.node
		}
		heap.Pop(q) // it was skipped while it waited for a slot
	}
	return nil
}

// park takes the node that next gave out of the queue, until unpark.
func (s *states) park(n *plan.Node) {
	st := s.must(n, ready)
	heap.Pop(&s.ready[classOf(n)])
	s.parked = append(s.parked, st)
}

// unpark puts back what was parked and is still ready, and reports whether
// there was any.
func (s *states) unpark() (any bool) {
	for _, st := range s.parked {
		if st.state == ready {
			heap.Push(&s.ready[classOf(st.node)], st)
			any = true
		}
	}
	s.parked = s.parked[:0]
	return any
}

// start marks the node as running.
func (s *states) start(n *plan.Node) {
	st := s.must(n, ready)
	st.state = running
	heap.Pop(&s.ready[classOf(n)])
}

// finish ends a running node and returns the nodes that will never run because
// of it, dependencies first.
func (s *states) finish(n *plan.Node, v event.Verdict) []skipped {
	st := s.must(n, running)
	return s.end(st, v)
}

// skip ends every node that has not started and that which returns true for.
func (s *states) skip(which func(*plan.Node) bool) []*plan.Node {
	var out []*plan.Node
	for _, st := range s.order {
		if (st.state == waiting || st.state == ready) && which(st.node) {
			out = append(out, st.node)
			for _, sk := range s.end(st, event.Skipped) {
				out = append(out, sk.node)
			}
		}
	}
	return out
}

func (s *states) end(st *nodeState, v event.Verdict) []skipped {
	st.state = ended
	s.left--
	good := v == event.Passed || v == event.Cached
	var out []skipped
	for _, d := range st.dependents {
		d.open--
		if d.state != waiting {
			continue
		}
		soft := d.always && !st.node.Prepares()
		if good || soft {
			s.readyIfOpen(d)
			continue
		}
		out = append(out, skipped{d.node, st.node})
		out = append(out, s.end(d, event.Skipped)...)
	}
	return out
}

func (s *states) readyIfOpen(st *nodeState) {
	if st.state == waiting && st.open == 0 {
		st.state = ready
		heap.Push(&s.ready[classOf(st.node)], st)
	}
}

func (s *states) must(n *plan.Node, want state) *nodeState {
	st := s.nodes[n.ID]
	if st == nil || st.state != want {
		panic(fmt.Sprintf("BUG: node %q is not in state %d", n.ID, want))
	}
	return st
}

// done reports whether every node has ended.
func (s *states) done() bool { return s.left == 0 }

// readyQueue is a heap: longest remaining path first, then plan order.
type readyQueue []*nodeState

func (q readyQueue) Len() int { return len(q) }
func (q readyQueue) Less(i, j int) bool {
	if q[i].remaining != q[j].remaining {
		return q[i].remaining > q[j].remaining
	}
	return q[i].index < q[j].index
}
func (q readyQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *readyQueue) Push(x any)   { *q = append(*q, x.(*nodeState)) }
func (q *readyQueue) Pop() any {
	old := *q
	st := old[len(old)-1]
	*q = old[:len(old)-1]
	return st
}
