package compiler

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestExplainOwn explains every lane, job and node of this repository, and
// holds the values of jobs against those of the plan.
func TestExplainOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("evaluates the lanes once for each job, which takes long: go test without -short does it")
	}
	c, err := Load("../lanes")
	if err != nil {
		t.Fatal(err)
	}
	p := c.assemble(everything(c))
	for i := range p.Jobs {
		if i%7 != 0 {
			continue // they are alike
		}
		b, err := json.Marshal(p.Jobs[i])
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		x, err := Explain("../lanes", p.Jobs[i].ID)
		if err != nil {
			t.Fatalf("%s: %v", p.Jobs[i].ID, err)
		}
		for _, part := range x.Parts {
			name := part.Path[strings.LastIndex(part.Path, ".")+1:]
			have, ok := want[name]
			if len(part.Value) > 0 && ok && string(have) != string(part.Value) {
				t.Errorf("%s is explained as %s, the plan has %s", part.Path, part.Value, have)
			}
			if part.Doc == "" || len(part.Says) == 0 {
				t.Errorf("%s: nothing is said of it", part.Path)
			}
		}
	}
	for i := range p.Nodes {
		if i%9 != 0 {
			continue
		}
		x, err := Explain("../lanes", p.Nodes[i].ID)
		if err != nil || len(x.Parts) == 0 {
			t.Errorf("%s: %v, %v", p.Nodes[i].ID, x, err)
		}
	}
}

func TestExplainUnknown(t *testing.T) {
	for what, near := range map[string]string{
		"lanes.fixture.titel":    "lanes.fixture.title",
		"fixture.jobs.x.y":       "",
		"lanes.fixtur":           "lanes.fixture",
		"prepare-fixture-relay-": "",
		"":                       "",
		"..":                     "",
		"roles.99":               "",
		"fixture.paths.x":        "",
	} {
		x, err := Explain("../lanes", what)
		var unknown *UnknownNameError
		if !errors.As(err, &unknown) {
			t.Errorf("%q: %v, %v", what, x, err)
		} else if near != "" && unknown.Nearest != near {
			t.Errorf("%q: nearest is %q, want %q", what, unknown.Nearest, near)
		}
	}
}

func TestLongest(t *testing.T) {
	for _, tt := range []struct{ text, name, rest string }{
		{"a.b.c", "a.b", "c"},
		{"a.x", "a", "x"},
		{`"a.b".c`, "a.b", "c"},
		{"ab", "", ""},
		{"a", "a", ""},
	} {
		name, rest := longest(tt.text, []string{"a", "a.b"})
		if got, want := fmt.Sprint(name, "|", rest), fmt.Sprint(tt.name, "|", tt.rest); got != want {
			t.Errorf("%s: got %s, want %s", tt.text, got, want)
		}
	}
}
