package compiler

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/schema/plan"
)

// anyCatalogue draws lanes with jobs that need earlier-drawn ones, in an order
// of their own, some sharing builds.
func anyCatalogue(t *rapid.T) *Catalogue {
	c := &Catalogue{sources: []plan.Source{}}
	for i := range 3 {
		name := fmt.Sprintf("r%d", i)
		c.roles = append(c.roles, role{name, name, name, name, "Build " + name, "/staged/" + name})
	}
	lanes := rapid.IntRange(1, 5).Draw(t, "lanes")
	for i := range lanes {
		l := newLaneFile(fmt.Sprintf("lane%d", i))
		l.title, l.description = l.id, "d"
		if rapid.Bool().Draw(t, "nightly") {
			l.trigger = plan.Nightly
		}
		for _, name := range []string{"ios", "docs", "web"} {
			if rapid.Bool().Draw(t, "exclude "+name) {
				l.snapshotExclude = append(l.snapshotExclude, name)
			}
		}
		// Lanes of one prefix have the same payloads: they share nodes.
		prefix := rapid.IntRange(0, 2).Draw(t, "prefix")
		l.sharedPrepare = &sharedPrepare{nodePrefix: fmt.Sprintf("p%d", prefix), description: "d"}
		for _, r := range c.roles[:prefix+1] {
			l.payloads = append(l.payloads, payloadFile{r.name, fmt.Sprintf("out%d-%s", prefix, r.name)})
		}
		l.jobs = anyJobs(t, i)
		c.lanes = append(c.lanes, l)
	}
	return c
}

func anyJobs(t *rapid.T, lane int) []jobFile {
	var jobs []jobFile
	for i := range rapid.IntRange(1, 6).Draw(t, "jobs") {
		j := newJobFile(fmt.Sprintf("job-%d-%d", lane, i))
		j.description, j.command, j.workingDir = "d", []string{"true"}, defaultWorkingDir
		if j.host = rapid.Bool().Draw(t, "host"); j.host {
			j.workingDir = defaultHostDir
		}
		j.finally = rapid.IntRange(0, 4).Draw(t, "finally") == 0
		for _, o := range jobs {
			if (!o.finally || j.finally) && rapid.IntRange(0, 2).Draw(t, "needs "+o.id) == 0 {
				j.needs = append(j.needs, o.id)
			}
		}
		jobs = append(jobs, j)
	}
	order := rapid.Permutation(jobs).Draw(t, "authored order")
	return order
}

// TestGraphProperties checks, of any catalogue, that its plan passes Check,
// survives encoding, and holds each job's nodes once and in order.
func TestGraphProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCatalogue(t)
		var sel Select
		for i := range c.lanes {
			if rapid.Bool().Draw(t, "named") {
				sel.Lanes = append(sel.Lanes, c.lanes[i].id)
			}
		}
		p, err := c.Compile(sel)
		if err != nil {
			t.Fatal(err)
		}
		b, err := plan.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		back, err := plan.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := plan.Encode(back)
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("another plan after decoding: %v", err)
		}
		checkOrder(t, c, p)
	})
}

func checkOrder(t *rapid.T, c *Catalogue, p *plan.Plan) {
	index := map[string]int{}
	for i, n := range p.Nodes {
		index[n.ID] = i
		if n.NixBuild == nil && len(n.Jobs) != 1 {
			t.Fatalf("node %s is of jobs %v", n.ID, n.Jobs)
		}
	}
	for i := range c.lanes {
		l := &c.lanes[i]
		if !p.Lanes[i].Chosen {
			continue
		}
		var ids []string
		for _, j := range l.jobs {
			ids = append(ids, j.id)
			execute := p.Nodes[index[plan.ExecuteID(j.id)]]
			for _, need := range j.needs {
				if !slices.Contains(execute.DependsOn, plan.ExecuteID(need)) {
					t.Fatalf("%s does not wait for %s", j.id, need)
				}
			}
			for _, o := range l.jobs {
				if j.finally && !o.finally && index[plan.ExecuteID(o.id)] > index[execute.ID] {
					t.Fatalf("finally job %s stands before %s", j.id, o.id)
				}
			}
		}
		if !slices.Equal(p.Lanes[i].Jobs, ids) {
			t.Fatalf("lane lists %v, authored were %v", p.Lanes[i].Jobs, ids)
		}
	}
}

// TestOneJob checks that a job brings what it needs, and nothing else.
func TestOneJob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCatalogue(t)
		l := rapid.SampledFrom(c.lanes).Draw(t, "lane")
		j := rapid.SampledFrom(l.jobs).Draw(t, "job")
		p, err := c.Compile(Select{Job: j.id})
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for i := range p.Jobs {
			have[p.Jobs[i].ID] = true
		}
		if !have[j.id] {
			t.Fatalf("job %s is not in its plan", j.id)
		}
		for i := range p.Jobs {
			for _, need := range p.Jobs[i].Needs {
				if !have[need] {
					t.Fatalf("%s needs %s, which is left out", p.Jobs[i].ID, need)
				}
			}
		}
		for _, lane := range p.Lanes {
			if lane.Chosen != (lane.ID == l.id) || lane.Partial != (lane.Chosen && len(have) < len(l.jobs)) {
				t.Fatalf("lane %+v", lane)
			}
		}
	})
}
