package plandiff_test

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/schema/plan"
	"github.com/sledtools/pikaci/schema/plan/plandiff"
)

func golden(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../lanes/plan.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decoded(t *testing.T, b []byte) *plan.Plan {
	t.Helper()
	p := new(plan.Plan)
	if err := json.Unmarshal(b, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// edited gives a copy of the golden plan that was changed by hand.
func edited(t *testing.T, edit func(*plan.Plan)) (old, new *plan.Plan) {
	t.Helper()
	old, new = decoded(t, golden(t)), decoded(t, golden(t))
	edit(new)
	return old, new
}

func job(p *plan.Plan, id string) *plan.Job {
	return &p.Jobs[slices.IndexFunc(p.Jobs, func(j plan.Job) bool { return j.ID == id })]
}

func node(p *plan.Plan, id string) *plan.Node {
	return &p.Nodes[slices.IndexFunc(p.Nodes, func(n plan.Node) bool { return n.ID == id })]
}

const (
	clippy = "pikahut-clippy"
	deps   = "prepare-fixture-linux-rust-workspace-deps"
)

func TestText(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*plan.Plan)
		want []string
	}{
		{"nothing", func(*plan.Plan) {}, nil},
		{"words and limits run nothing again", func(p *plan.Plan) {
			job(p, clippy).TimeoutSecs = 900
			job(p, clippy).Description = "Other words"
			node(p, "execute-"+clippy).Description = "Other words"
		}, []string{
			"~ job pikahut-clippy of lane fixture",
			`    description: "Run clippy over the fixture tool" -> "Other words"`,
			"    timeout_secs: 1800 -> 900",
		}},
		{"command is a field of the job", func(p *plan.Plan) {
			node(p, "execute-"+clippy).GuestCommand.Command = []string{"true"}
		}, []string{
			"~ job pikahut-clippy of lane fixture",
			`    command: ["/staged/linux-rust/workspace-build/bin/run-pikahut-clippy"] -> ["true"]`,
			"to run: 1",
			"    pikahut-clippy: command",
		}},
		{"output of a payload is told once", func(p *plan.Plan) {
			b := node(p, deps).NixBuild
			b.OutputName, b.Installable = "ci.other", "path:snapshot#ci.other"
			for i := range p.Jobs {
				for k := range p.Jobs[i].StagedPayloads {
					if s := &p.Jobs[i].StagedPayloads[k]; s.PrepareNodeID == deps {
						s.OutputName, s.Installable = b.OutputName, b.Installable
					}
				}
			}
		}, []string{
			"~ payload " + deps,
			`    installable: "path:snapshot#ci.x86_64-linux.fixtureWorkspaceDeps" -> "path:snapshot#ci.other"`,
			"to build: 1",
			"    path:snapshot#ci.other for pikahut-clippy, fixture-relay-smoke",
			"to run: 2",
			"    pikahut-clippy: payload workspace-deps",
			"    fixture-relay-smoke: payload workspace-deps",
		}},
		{"host setup of a lane", func(p *plan.Plan) {
			for i := range p.Lanes {
				if p.Lanes[i].ID == "fixture" {
					p.Lanes[i].HostSetup = [][]string{{"make"}}
				}
			}
		}, []string{
			"~ lane fixture",
			`    host_setup: [] -> [["make"]]`,
			"to run: 2",
			"    pikahut-clippy: lane host_setup",
			"    fixture-relay-smoke: lane host_setup",
		}},
		{"source alone", func(p *plan.Plan) { p.Sources[0].SHA256 = strings.Repeat("0", 64) }, []string{
			"~ source " + decoded(t, golden(t)).Sources[0].Path,
		}},
		{"order alone", func(p *plan.Plan) { p.Jobs[0], p.Jobs[1] = p.Jobs[1], p.Jobs[0] }, []string{
			"~ the same graph in another order",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, new := edited(t, tt.edit)
			if got := plandiff.Compare(old, new).Text(); !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestSnapshot wants all jobs to run again where their sources changed.
func TestSnapshot(t *testing.T) {
	old, new := edited(t, func(p *plan.Plan) { p.Snapshot.Exclude = []string{"x"} })
	if got := plandiff.Compare(old, new).Run; len(got) != len(new.Jobs) {
		t.Errorf("%d jobs run again, want all %d", len(got), len(new.Jobs))
	}
}

func TestFromNothing(t *testing.T) {
	none, p := &plan.Plan{}, decoded(t, golden(t))
	d := plandiff.Compare(none, p)
	if len(d.Jobs) != len(p.Jobs) || len(d.Run) != len(p.Jobs) || len(d.Lanes) != len(p.Lanes) {
		t.Errorf("%d jobs and %d lanes came, %d run", len(d.Jobs), len(d.Lanes), len(d.Run))
	}
	for _, n := range d.Nodes {
		if !n.Implied {
			t.Errorf("node %s does not follow from its job", n.ID)
		}
	}
	if back := plandiff.Compare(p, none); len(back.Run)+len(back.Build) != 0 || len(back.Jobs) != len(p.Jobs) {
		t.Errorf("taking all away builds or runs something")
	}
}

// TestNothingIsLost changes each value of the golden plan in turn: the
// difference must never be empty.
func TestNothingIsLost(t *testing.T) {
	old := decoded(t, golden(t))
	var tree any
	if err := json.Unmarshal(golden(t), &tree); err != nil {
		t.Fatal(err)
	}
	changed := 0
	leaves("", tree, func(path string, change func() (undo func())) {
		// Every tenth is enough: neighbours are of the same kinds.
		if changed++; changed%10 != 0 || strings.HasPrefix(path, ".digest") {
			return
		}
		undo := change()
		b, err := json.Marshal(tree)
		undo()
		if err != nil {
			t.Fatal(err)
		}
		d := plandiff.Compare(old, decoded(t, b))
		if strings.HasPrefix(path, ".sources") {
			if len(d.Sources) == 0 {
				t.Errorf("%s changed, and no source is told of", path)
			}
		} else if d.Empty() || len(d.Text()) == 0 {
			t.Errorf("%s changed, and the difference is empty", path)
		}
	})
}

// leaves visits the values of a JSON tree with a function that changes one.
func leaves(at string, v any, visit func(path string, change func() func())) {
	each := func(path string, v any, set func(any)) {
		to := any(nil)
		switch v := v.(type) {
		case string:
			to = v + "x"
		case float64:
			to = v + 1
		case bool:
			to = !v
		default:
			leaves(path, v, visit)
			return
		}
		visit(path, func() func() { set(to); return func() { set(v) } })
	}
	switch v := v.(type) {
	case map[string]any:
		names := []string{}
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			each(at+"."+name, v[name], func(to any) { v[name] = to })
		}
	case []any:
		for i := range v {
			each(at+"."+strconv.Itoa(i), v[i], func(to any) { v[i] = to })
		}
	}
}

func TestField(t *testing.T) {
	long := strings.Repeat("word ", 40)
	list := func(words ...any) any { return words }
	for _, tt := range []struct {
		field plandiff.Field
		want  string
	}{
		{plandiff.Field{Field: "a", From: 1, To: 2}, "a: 1 -> 2"},
		{plandiff.Field{Field: "a", To: "x"}, `a: added, "x"`},
		{plandiff.Field{Field: "a", From: true}, "a: removed, was true"},
		{plandiff.Field{Field: "a", To: map[string]any{"b": 1}}, "a: added"},
		{plandiff.Field{Field: "a", From: long + "one", To: long + "two"}, `a: …word word one" -> …word word two"`},
		{plandiff.Field{Field: "a", From: list(long, "x", "y"), To: list(long, "y", "z")}, `a: -"x", +"z"`},
		{plandiff.Field{Field: "a", From: list(long, "x"), To: list("x", long)}, "a: in another order"},
	} {
		if got := tt.field.String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	old, new := edited(t, func(p *plan.Plan) {
		job(p, clippy).Env = map[string]string{"A": "`x` | <b>", "B": "`"}
		job(p, "fixture-relay-smoke").TimeoutSecs = 5
	})
	want := "**Changes of the plan:** 2 jobs changed\n\n" +
		"- job `pikahut-clippy` of lane `fixture` changed\n" +
		"  - ``env.A: added, \"`x` | <b>\"``\n" +
		"  - ``env.B: added, \"`\"``\n" +
		"- job `fixture-relay-smoke` of lane `fixture` changed\n" +
		"  - `timeout_secs: 300 -> 5`\n" +
		"\n**To run:** 1\n\n" +
		"- `pikahut-clippy`: `env.A`, `env.B`\n"
	if got := plandiff.Compare(old, new).Markdown(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := plandiff.Compare(old, old).Markdown(); got != "**The plan's graph is the same.**\n" {
		t.Errorf("got %s", got)
	}
	if got := plandiff.Compare(&plan.Plan{}, old).Markdown(); strings.Count(got, "<details>") != strings.Count(got, "</details>") ||
		!strings.Contains(got, "<details>") {
		t.Errorf("long lists are not folded:\n%s", got)
	}
}

func TestDocuments(t *testing.T) {
	got, err := plandiff.Documents([]byte(`{"a":{"b":1},"c":[1],"d":9007199254740993}`), []byte(`{"a":{"b":2},"c":[1],"d":9007199254740992}`))
	want := []string{"~ a.b: 1 -> 2", "~ d: 9007199254740993 -> 9007199254740992"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{"", "{", "nothing", "[]"} {
		if lines, err := plandiff.Documents([]byte(bad), []byte("{}")); err == nil {
			t.Errorf("Documents(%q) gives %q, want an error", bad, lines)
		}
	}
}
