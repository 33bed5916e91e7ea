package compiler

import (
	"fmt"
	"slices"

	"github.com/sledtools/pikaci/schema/plan"
)

// graph collects nodes, dependencies first. A node that two jobs share is
// there once and lists both.
type graph struct {
	nodes []plan.Node
	index map[string]int
	// from says which job asked for a node first.
	from      map[string]origin
	conflicts []conflict
}

// origin is what in the lane files a node comes from.
type origin struct {
	lane, job string
	// payload is the index in the lane's payloads; -1 for other nodes.
	payload int
}

// conflict is one node id asked for with two contents.
type conflict struct {
	id            string
	what          string
	first, second origin
}

// plannedJob is a job with its command and payload specs, ready to be wired.
type plannedJob struct {
	job     plan.Job
	command []string
	// after are jobs whose end it waits for: those that it needs, and for a
	// finally job the lane's others.
	after []string
}

func newGraph() *graph {
	return &graph{nodes: []plan.Node{}, index: map[string]int{}, from: map[string]origin{}}
}

// add puts a job's nodes into the graph: payloads as a chain, its instance,
// its command. The instance depends on nothing: it is made while payloads are
// built.
func (g *graph) add(p *plannedJob) {
	j := &p.job
	wait, before := []string{}, []string{}
	for i, s := range j.StagedPayloads {
		g.node(origin{j.Lane, j.ID, i}, plan.Node{
			ID:          s.PrepareNodeID,
			Description: s.PrepareDescription,
			DependsOn:   before,
			Jobs:        []string{j.ID},
			NixBuild:    &plan.NixBuild{Installable: s.Installable, OutputName: s.OutputName, TimeoutSecs: s.PrepareTimeoutSecs},
		})
		before = []string{s.PrepareNodeID}
		wait = append(wait, s.PrepareNodeID)
	}
	execute := plan.Node{ID: plan.ExecuteID(j.ID), Description: j.Description, Jobs: []string{j.ID}}
	if j.Host() {
		execute.HostCommand = &plan.HostCommand{Job: j.ID, Command: p.command}
	} else {
		runner := plan.PrepareRunnerID(j.ID)
		g.node(origin{j.Lane, j.ID, -1}, plan.Node{
			ID:            runner,
			Description:   "Make an instance ready for " + j.ID,
			DependsOn:     []string{},
			Jobs:          []string{j.ID},
			IncusInstance: &plan.IncusInstance{Job: j.ID},
		})
		wait = append(wait, runner)
		execute.GuestCommand = &plan.GuestCommand{Job: j.ID, Command: p.command}
	}
	for _, id := range p.after {
		wait = append(wait, plan.ExecuteID(id))
	}
	execute.DependsOn = wait
	g.node(origin{j.Lane, j.ID, -1}, execute)
}

func (g *graph) node(from origin, n plan.Node) {
	i, shared := g.index[n.ID]
	if !shared {
		g.index[n.ID] = len(g.nodes)
		g.from[n.ID] = from
		g.nodes = append(g.nodes, n)
		return
	}
	if what := difference(&g.nodes[i], &n); what != "" {
		g.conflicts = append(g.conflicts, conflict{n.ID, what, g.from[n.ID], from})
		return
	}
	if !slices.Contains(g.nodes[i].Jobs, from.job) {
		g.nodes[i].Jobs = append(g.nodes[i].Jobs, from.job)
	}
}

// differentKind is the difference between a build and a job's own node.
const differentKind = "what they do"

// difference names the first field in which two nodes of one id differ; only
// builds can be shared.
func difference(a, b *plan.Node) string {
	switch {
	case a.NixBuild == nil || b.NixBuild == nil:
		return differentKind
	case a.NixBuild.TimeoutSecs != b.NixBuild.TimeoutSecs:
		return fmt.Sprintf("the time that they may take: %d s and %d s", a.NixBuild.TimeoutSecs, b.NixBuild.TimeoutSecs)
	case *a.NixBuild != *b.NixBuild:
		return "the installable: " + a.NixBuild.Installable + " and " + b.NixBuild.Installable
	case a.Description != b.Description:
		return "the description: \"" + a.Description + "\" and \"" + b.Description + "\""
	case !slices.Equal(a.DependsOn, b.DependsOn):
		return "what they depend on"
	}
	return ""
}

// ordered gives a lane's jobs so that each stands after those that it waits
// for, and in authored order wherever that allows. Jobs of a cycle, which the
// checks refuse, come last.
func ordered(jobs []*plannedJob) []*plannedJob {
	out := make([]*plannedJob, 0, len(jobs))
	done := make(map[string]bool, len(jobs))
	left := slices.Clone(jobs)
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(j *plannedJob) bool {
			return !slices.ContainsFunc(j.after, func(id string) bool { return !done[id] })
		})
		if i < 0 {
			return append(out, left...)
		}
		done[left[i].job.ID] = true
		out = append(out, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return out
}
