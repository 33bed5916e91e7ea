package draw

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/schema/plan"
)

func golden(t *testing.T) *plan.Plan {
	t.Helper()
	b, err := os.ReadFile("../../../lanes/plan.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// random makes a plan of lanes with shared and own builds, jobs that need
// others, host jobs and jobs with no instance of their own. It is drawable, not
// runnable.
func random(r *rand.Rand) *plan.Plan {
	p := &plan.Plan{}
	builds := map[string]*plan.Node{}
	for l := range 1 + r.IntN(12) {
		lane := fmt.Sprintf("lane-%d", l)
		p.Lanes = append(p.Lanes, plan.Lane{ID: lane, Title: "check <" + lane + "> & \"more\""})
		prefix := fmt.Sprintf("prepare-%d", r.IntN(8))
		var jobs []string
		for j := range 1 + r.IntN(6) {
			id := fmt.Sprintf("job-%d-%d", l, j)
			job := plan.Job{ID: id, Lane: lane, TimeoutSecs: 1 + r.IntN(2000)}
			node := plan.Node{ID: plan.ExecuteID(id), Description: "Runs `" + id + "` | <x>", Jobs: []string{id}}
			before := ""
			for b := range r.IntN(4) {
				id := fmt.Sprintf("%s-%d", prefix, b)
				if builds[id] == nil {
					builds[id] = &plan.Node{ID: id, NixBuild: &plan.NixBuild{Installable: "path:snapshot#" + id}}
					if before != "" {
						builds[id].DependsOn = []string{before}
					}
					p.Nodes = append(p.Nodes, *builds[id])
				}
				for i := range p.Nodes {
					if p.Nodes[i].ID == id {
						p.Nodes[i].Jobs = append(p.Nodes[i].Jobs, job.ID)
					}
				}
				node.DependsOn = append(node.DependsOn, id)
				before = id
			}
			if r.IntN(3) > 0 {
				job.Incus = &plan.Incus{InstanceType: plan.Container, CPUs: 1, Memory: "1GiB"}
				runner := plan.PrepareRunnerID(id)
				p.Nodes = append(p.Nodes, plan.Node{ID: runner, Jobs: []string{id}, IncusInstance: &plan.IncusInstance{Job: id}})
				node.DependsOn = append(node.DependsOn, runner)
				node.GuestCommand = &plan.GuestCommand{Job: id, Command: []string{"true"}}
			} else {
				node.HostCommand = &plan.HostCommand{Job: id, Command: []string{"true"}}
			}
			for _, other := range jobs {
				if r.IntN(3) == 0 {
					node.DependsOn = append(node.DependsOn, plan.ExecuteID(other))
				}
			}
			jobs = append(jobs, id)
			p.Jobs = append(p.Jobs, job)
			p.Nodes = append(p.Nodes, node)
		}
	}
	return p
}

func eachRandom(t *testing.T, try func(t *testing.T, p *plan.Plan)) {
	for seed := range uint64(200) {
		try(t, random(rand.New(rand.NewPCG(seed, 1))))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestImplied wants the edges that are drawn to say the same as all.
func TestImplied(t *testing.T) {
	eachRandom(t, func(t *testing.T, p *plan.Plan) {
		all, some := map[string]map[string]bool{}, map[string]map[string]bool{}
		g := New(p)
		for i := range g.Nodes {
			id := g.Nodes[i].ID
			all[id], some[id] = map[string]bool{}, map[string]bool{}
			for _, e := range g.Edges {
				if e.To != id {
					continue
				}
				add := func(of map[string]map[string]bool) {
					of[id][e.From] = true
					maps.Copy(of[id], of[e.From])
				}
				add(all)
				if !e.Implied {
					add(some)
				}
			}
			if len(all[id]) != len(some[id]) {
				t.Errorf("%s waits for %d nodes, by the edges that are drawn for %d", id, len(all[id]), len(some[id]))
			}
		}
	})
}

// TestCritical compares with the longest of all chains.
func TestCritical(t *testing.T) {
	eachRandom(t, func(t *testing.T, p *plan.Plan) {
		g := New(p)
		longest, chain := map[string]int{}, 0
		most := 0
		for i := range g.Nodes {
			n := &g.Nodes[i]
			for _, d := range p.Nodes[i].DependsOn {
				longest[n.ID] = max(longest[n.ID], longest[d])
			}
			longest[n.ID] += n.Seconds
			most = max(most, longest[n.ID])
			if n.Critical {
				chain += n.Seconds
			}
		}
		if chain != most {
			t.Errorf("the critical path takes %d s, the longest chain %d s", chain, most)
		}
		marked := 0
		for _, e := range g.Edges {
			if e.Critical && !e.Implied {
				marked++
			}
		}
		if marked != len(g.Critical)-1 {
			t.Errorf("%d edges are marked on a path of %d nodes", marked, len(g.Critical))
		}
	})
}

// TestLayout wants each node once, nothing on top of another, all within its
// band, and every edge to lead one column to the right.
func TestLayout(t *testing.T) {
	eachRandom(t, func(t *testing.T, p *plan.Plan) {
		g := New(p)
		seen := map[string]int{}
		for _, b := range g.layout() {
			for column, cells := range b.columns {
				bottom := -cellGap
				for _, c := range cells {
					if c.top < bottom+cellGap-1 {
						t.Errorf("%v lies on what is above it: %v, %v", c.node, c.top, bottom)
					}
					bottom = c.top + c.height()
					for _, n := range []*Node{c.node, c.instance} {
						if n != nil {
							seen[n.ID]++
						}
					}
					for _, to := range c.out {
						if c.column != column || to.column != column+1 {
							t.Errorf("an edge leads from column %d to %d", c.column, to.column)
						}
					}
				}
				if bottom > b.height+1 {
					t.Errorf("column %d ends at %v, its band at %v", column, bottom, b.height)
				}
			}
		}
		for i := range g.Nodes {
			if seen[g.Nodes[i].ID] != 1 {
				t.Errorf("%s is drawn %d times", g.Nodes[i].ID, seen[g.Nodes[i].ID])
			}
		}
	})
}

// TestTracks wants no two lines of a gutter on top of each other.
func TestTracks(t *testing.T) {
	eachRandom(t, func(t *testing.T, p *plan.Plan) {
		pic := &picture{bands: New(p).layout()}
		pic.measure()
		var nets []*net
		for _, n := range pic.nets {
			if !n.straight() {
				nets = append(nets, n)
			}
		}
		for i, a := range nets {
			for _, b := range nets[:i] {
				if a.from.column == b.from.column && a.track == b.track && a.low <= b.high && b.low <= a.high {
					t.Errorf("two lines share track %d of gutter %d", a.track, a.from.column)
				}
			}
		}
	})
}

func TestSVG(t *testing.T) {
	for name, p := range map[string]*plan.Plan{"golden": golden(t), "none": {}, "random": random(rand.New(rand.NewPCG(1, 1)))} {
		svg := New(p).SVG()
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		for i := range p.Nodes {
			if !strings.Contains(svg, "<title>"+p.Nodes[i].ID+"\n") {
				t.Errorf("%s: node %s is not in the picture", name, p.Nodes[i].ID)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: a place is no number", name)
		}
		if again := New(p).SVG(); again != svg {
			t.Errorf("%s: drawn another way the second time", name)
		}
	}
}

// TestGolden looks at what the repository's own lanes are known to share.
func TestGolden(t *testing.T) {
	g := New(golden(t))
	var shared []string
	for _, n := range g.Nodes {
		if n.Shared {
			shared = append(shared, n.ID)
		}
	}
	if got, want := strings.Join(shared, " "), "prepare-pikachat-linux-rust-workspace-deps prepare-pikachat-linux-rust-workspace-build"; got != want {
		t.Errorf("shared by lanes: %s, want %s", got, want)
	}
	b, err := g.JSON()
	if err != nil || !json.Valid(b) {
		t.Errorf("JSON: %v", err)
	}
}

// TestWords wants names whole, and headings that tell what lines mean whose ends
// are out of sight.
func TestWords(t *testing.T) {
	p := golden(t)
	svg := New(p).SVG()
	for i := range p.Nodes {
		if n := &p.Nodes[i]; n.NixBuild != nil && !strings.Contains(svg, ">"+n.ID+"</text>") {
			t.Errorf("the name of %s is cut", n.ID)
		}
	}
	for _, want := range []string{
		`>check-pikachat</tspan><tspan dx="14" fill="#0969da">after prepare-pikachat-linux-rust-workspace-build, which lanes share</tspan></text>`,
		`>check-pikachat-typescript</tspan><tspan dx="14" fill="#0969da">after prepare-pikachat-linux-rust-workspace-build, which lanes share</tspan></text>`,
		`>check-pika-followup</tspan><tspan dx="14" fill="#cf222e">critical path</tspan></text>`,
		`>check-fixture</tspan></text>`,
		`critical path by time limits: 3 nodes to a job of check-pika-followup, at most 3600 s<`,
	} {
		if strings.Count(svg, want) != 1 {
			t.Errorf("the picture does not say %s", want)
		}
	}
}

// TestWordsFit wants a picture of few boxes to be as wide as what stands above
// them.
func TestWordsFit(t *testing.T) {
	title := strings.Repeat("long", 50)
	p := &plan.Plan{Lanes: []plan.Lane{{ID: "a", Title: title}}, Jobs: []plan.Job{{ID: "j", Lane: "a", TimeoutSecs: 1}},
		Nodes: []plan.Node{{ID: "n", Jobs: []string{"j"}, HostCommand: &plan.HostCommand{Job: "j", Command: []string{"true"}}}}}
	var width float64
	if _, err := fmt.Sscanf(New(p).SVG(), `<svg xmlns="http://www.w3.org/2000/svg" width="%g"`, &width); err != nil {
		t.Fatal(err)
	}
	if least := 7 * float64(len(title)); width < least {
		t.Errorf("%g pixels wide, want over %g", width, least)
	}
}

func TestQuoting(t *testing.T) {
	if got, want := dotText("a\\\"b\nc"), `"a\\\"b\nc"`; got != want {
		t.Errorf("dot: %s, want %s", got, want)
	}
	if got, want := mermaidText("a\"<b>`#1;\n"), "a#quot;#lt;b#gt;#96;#35;1; "; got != want {
		t.Errorf("mermaid: %s, want %s", got, want)
	}
	if got, want := cut("prepare-something-long", 12), "prepare…long"; got != want {
		t.Errorf("cut: %s, want %s", got, want)
	}
}
