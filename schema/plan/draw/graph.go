// Package draw shows a plan's graph as text for Graphviz or Mermaid, as JSON,
// or as a picture in SVG, which it lays out itself. It is pure: it knows a
// plan and nothing of runs, files or terminals.
package draw

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sledtools/pikaci/schema/plan"
)

// Kind says what a node does.
type Kind string

// The kinds.
const (
	Build    Kind = "build"
	Instance Kind = "instance"
	Guest    Kind = "guest"
	Host     Kind = "host"
)

// Graph is a plan as it is drawn.
type Graph struct {
	// Lanes are those that have nodes, in plan order.
	Lanes []Lane `json:"lanes"`
	// Nodes are in plan order, dependencies first.
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
	// Critical are the ids of the longest chain, by the nodes' seconds and
	// then by their number: no run is faster than it.
	Critical []string `json:"critical"`
}

// Lane is a group of nodes.
type Lane struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Node is one step.
type Node struct {
	ID    string `json:"id"`
	Kind  Kind   `json:"kind"`
	Label string `json:"label"`
	// Job is the job that it makes ready or runs; empty for a build.
	Job string `json:"job,omitempty"`
	// Jobs wait for the node; Lanes are theirs.
	Jobs  []string `json:"jobs"`
	Lanes []string `json:"lanes"`
	// Shared says that jobs of more than one lane wait for it.
	Shared   bool `json:"shared"`
	Critical bool `json:"critical"`
	// Seconds is how long it may take: a command's time limit, and 0 where
	// the plan has none.
	Seconds int `json:"seconds"`
}

// Edge leads from a node to one that waits for it.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Implied says that a chain of others says the same; pictures leave it
	// out.
	Implied  bool `json:"implied"`
	Critical bool `json:"critical"`
}

// New reads a checked plan.
func New(p *plan.Plan) *Graph {
	g := &Graph{Lanes: []Lane{}, Nodes: []Node{}, Edges: []Edge{}, Critical: []string{}}
	jobs := make(map[string]*plan.Job, len(p.Jobs))
	for i := range p.Jobs {
		jobs[p.Jobs[i].ID] = &p.Jobs[i]
	}
	for i := range p.Nodes {
		g.Nodes = append(g.Nodes, drawn(&p.Nodes[i], jobs))
	}
	for _, l := range p.Lanes {
		if slices.ContainsFunc(g.Nodes, func(n Node) bool { return slices.Contains(n.Lanes, l.ID) }) {
			g.Lanes = append(g.Lanes, Lane{l.ID, l.Title})
		}
	}
	g.connect(p)
	g.markCritical(p)
	return g
}

func drawn(n *plan.Node, jobs map[string]*plan.Job) Node {
	out := Node{ID: n.ID, Label: n.Description, Jobs: n.Jobs, Lanes: []string{}}
	switch {
	case n.NixBuild != nil:
		out.Kind = Build
	case n.IncusInstance != nil:
		out.Kind, out.Job = Instance, n.IncusInstance.Job
		if i := jobs[out.Job].Incus; i != nil {
			out.Label = instanceLabel(i)
		}
	case n.GuestCommand != nil:
		out.Kind, out.Job = Guest, n.GuestCommand.Job
	case n.HostCommand != nil:
		out.Kind, out.Job = Host, n.HostCommand.Job
	}
	if out.Kind == Guest || out.Kind == Host {
		out.Seconds = jobs[out.Job].TimeoutSecs
	}
	for _, id := range n.Jobs {
		if lane := jobs[id].Lane; !slices.Contains(out.Lanes, lane) {
			out.Lanes = append(out.Lanes, lane)
		}
	}
	out.Shared = len(out.Lanes) > 1
	return out
}

// instanceLabel says what instance a node makes: "container, 2 cpus, 4096MiB".
func instanceLabel(i *plan.Incus) string {
	cpus := " cpus"
	if i.CPUs == 1 {
		cpus = " cpu"
	}
	return strings.Join([]string{string(i.InstanceType), number(i.CPUs) + cpus, i.Memory}, ", ")
}

// connect adds the edges, and finds those that others imply.
func (g *Graph) connect(p *plan.Plan) {
	above := make(map[string]map[string]bool, len(p.Nodes))
	for i := range p.Nodes {
		n := &p.Nodes[i]
		all := map[string]bool{}
		for _, d := range n.DependsOn {
			for id := range above[d] {
				all[id] = true
			}
		}
		for _, d := range n.DependsOn {
			g.Edges = append(g.Edges, Edge{From: d, To: n.ID, Implied: all[d]})
		}
		for _, d := range n.DependsOn {
			all[d] = true
		}
		above[n.ID] = all
	}
}

// markCritical finds the longest chain. Of two that are as long it takes the
// one that ends first in the plan.
func (g *Graph) markCritical(p *plan.Plan) {
	type chain struct{ seconds, steps, before int }
	longer := func(a, b chain) bool {
		return a.seconds > b.seconds || a.seconds == b.seconds && a.steps > b.steps
	}
	index := make(map[string]int, len(g.Nodes))
	chains := make([]chain, len(g.Nodes))
	last := -1
	for i := range p.Nodes {
		best := chain{before: -1}
		for _, d := range p.Nodes[i].DependsOn {
			if c := chains[index[d]]; longer(c, best) {
				best = chain{c.seconds, c.steps, index[d]}
			}
		}
		best.seconds += g.Nodes[i].Seconds
		best.steps++
		chains[i], index[p.Nodes[i].ID] = best, i
		if last < 0 || longer(best, chains[last]) {
			last = i
		}
	}
	for i := last; i >= 0; i = chains[i].before {
		g.Nodes[i].Critical = true
		g.Critical = append(g.Critical, g.Nodes[i].ID)
	}
	slices.Reverse(g.Critical)
	for i := range g.Edges {
		at := slices.Index(g.Critical, g.Edges[i].From)
		g.Edges[i].Critical = at >= 0 && at+1 < len(g.Critical) && g.Critical[at+1] == g.Edges[i].To
	}
}

// group is the lane that a node is drawn in; empty for one that lanes share.
func (n *Node) group() string {
	if n.Shared || len(n.Lanes) == 0 {
		return ""
	}
	return n.Lanes[0]
}

// groups are the nodes by the lane that they are drawn in, shared ones first;
// none is empty.
func (g *Graph) groups() []group {
	all := []group{{Lane: Lane{Title: "shared by several lanes"}}}
	at := map[string]int{"": 0}
	for _, l := range g.Lanes {
		at[l.ID] = len(all)
		all = append(all, group{Lane: l})
	}
	for i := range g.Nodes {
		k := at[g.Nodes[i].group()]
		all[k].nodes = append(all[k].nodes, &g.Nodes[i])
	}
	return slices.DeleteFunc(all, func(x group) bool { return len(x.nodes) == 0 })
}

type group struct {
	Lane
	nodes []*Node
}

// JSON gives the graph for programs, with a final newline.
func (g *Graph) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(g, "", "  ")
	return append(b, '\n'), err
}
