package compiler

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
)

// The documents hold tables of all fields between these lines; -update writes
// them from the schema's comments.
const (
	tablesBegin = "<!-- Written from schema/*.cue by go test ./compiler -run Document -update -->\n"
	tablesEnd   = "<!-- End of what is written from schema/*.cue -->\n"
)

// TestLanesDocument holds docs/lanes.md against the schema's comments.
func TestLanesDocument(t *testing.T) {
	holdDocument(t, "../docs/lanes.md", []string{"#Lane", "#SharedPrepare", "#Payload", "#Role", "#Incus", "#Job"}, wanted)
}

// TestPlanDocument holds docs/plan-format.md against the schema's comments.
func TestPlanDocument(t *testing.T) {
	kind := func(v cue.Value) string { return v.IncompleteKind().String() }
	holdDocument(t, "../docs/plan-format.md", []string{"#Plan", "#Source", "#Selection", "#Snapshot", "#PlanLane",
		"#PlanJob", "#PlanIncus", "#StagedPreparedPayload", "#Node", "#NixBuild", "#IncusInstance", "#GuestCommand", "#HostCommand"}, kind)
}

func holdDocument(t *testing.T, name string, definitions []string, takes func(cue.Value) string) {
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := bytes.Cut(b, []byte(tablesBegin))
	_, after, ended := bytes.Cut(rest, []byte(tablesEnd))
	if !begun || !ended {
		t.Fatalf("%s lacks the lines between which tables are written", name)
	}
	want := new(bytes.Buffer)
	want.Write(before)
	want.WriteString(tablesBegin)
	schema := embeddedSchema(t, cuecontext.New())
	for _, d := range definitions {
		writeTable(t, want, d, schema.LookupPath(cue.ParsePath(d)), takes)
	}
	want.WriteString("\n" + tablesEnd)
	want.Write(after)
	if bytes.Equal(b, want.Bytes()) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the schema says; write it with: go test ./compiler -run Document -update", name)
	}
	if err := os.WriteFile(name, want.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeTable(t *testing.T, b *bytes.Buffer, name string, v cue.Value, takes func(cue.Value) string) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n| field | takes | meaning |\n|---|---|---|\n", strings.TrimPrefix(name, "#"), comment(v))
	fields, err := v.Fields(cue.Optional(true))
	if err != nil {
		t.Fatal(err)
	}
	for fields.Next() {
		s := fields.Selector()
		field := "`" + s.Unquoted() + "`"
		if s.ConstraintType() == cue.RequiredConstraint {
			field += ", required"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", field, cell(takes(fields.Value())), cell(comment(fields.Value())))
	}
}

// comment is what the schema says of a value, on one line.
func comment(v cue.Value) string {
	var text []string
	for _, group := range v.Doc() {
		text = append(text, strings.Fields(group.Text())...)
	}
	return strings.Join(text, " ")
}

// cell keeps a text inside a cell: a bar would end it, a star or an angle
// bracket would be markup.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", `\<`).Replace(s)
}
