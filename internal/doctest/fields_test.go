package doctest

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
	"github.com/sledtools/pikaci/schema/runner"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// blocks are the JSON examples of a text.
func blocks(text string) []string {
	var out []string
	for _, part := range strings.Split(text, "```json\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		out = append(out, block)
	}
	return out
}

// TestRunnerExamples decodes the runner files of the documents, and demands
// that the long one sets every field.
func TestRunnerExamples(t *testing.T) {
	if _, err := runner.Decode([]byte(blocks(read(t, "README.md"))[0])); err != nil {
		t.Errorf("README.md: %v", err)
	}
	f, err := runner.Decode([]byte(blocks(read(t, "docs/running.md"))[0]))
	if err != nil {
		t.Fatalf("docs/running.md: %v", err)
	}
	for _, v := range []any{*f, f.Incus, f.Nix, f.Ceilings} {
		for name, field := range fieldsOf(reflect.TypeOf(v)) {
			if reflect.ValueOf(v).FieldByIndex(field.Index).IsZero() {
				t.Errorf("docs/running.md: the example says nothing of %T.%s", v, name)
			}
		}
	}
}

// TestRunnerFields demands a line for each field of the runner file.
func TestRunnerFields(t *testing.T) {
	text := read(t, "docs/running.md")
	var demand func(prefix string, typ reflect.Type)
	demand = func(prefix string, typ reflect.Type) {
		for name, field := range fieldsOf(typ) {
			switch under := field.Type; {
			case under.Kind() == reflect.Struct:
				demand(prefix+name+".", under)
			case under.Kind() == reflect.Map && under.Elem().Kind() == reflect.Struct:
				demand(prefix+name+".*.", under.Elem())
			case !strings.Contains(text, "\n| `"+prefix+name+"` | "):
				t.Errorf("docs/running.md has no line for %s%s", prefix, name)
			}
		}
	}
	demand("", reflect.TypeFor[runner.File]())
}

// TestEvents demands a line for each event, with all its fields.
func TestEvents(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "docs/running.md"), "### events.jsonl")
	for name, field := range fieldsOf(reflect.TypeFor[event.Event]()) {
		if field.Type.Kind() != reflect.Pointer {
			continue // seq and time
		}
		line := regexp.MustCompile("(?m)^\\| `" + name + "` \\|.*$").FindString(text)
		if line == "" {
			t.Errorf("docs/running.md has no line for event %s", name)
		}
		for under := range fieldsOf(field.Type.Elem()) {
			if !strings.Contains(line, "`"+under+"`") {
				t.Errorf("docs/running.md: the line of event %s lacks %s", name, under)
			}
		}
	}
}

// TestRunRecord demands each field of run.json in its section.
func TestRunRecord(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "docs/running.md"), "### run.json")
	section, _, _ = strings.Cut(section, "### events.jsonl")
	for _, typ := range []reflect.Type{reflect.TypeFor[record.Run](), reflect.TypeFor[record.LaneRecord](),
		reflect.TypeFor[record.JobRecord](), reflect.TypeFor[record.NodeRecord](),
		reflect.TypeFor[record.PhaseRecord](), reflect.TypeFor[record.PreparedOutputs]()} {
		for name := range fieldsOf(typ) {
			if !strings.Contains(section, "`"+name+"`") {
				t.Errorf("docs/running.md says nothing of %s in %s", name, typ)
			}
		}
	}
}

// TestPlanExample decodes the plan of docs/plan-format.md.
func TestPlanExample(t *testing.T) {
	if _, err := plan.Decode([]byte(blocks(read(t, "docs/plan-format.md"))[0])); err != nil {
		t.Errorf("docs/plan-format.md: %v", err)
	}
}

// fieldsOf are the fields of a struct by their names in JSON; those of
// embedded structs are its own.
func fieldsOf(typ reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(typ) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && !f.Anonymous {
			fields[name] = f
		}
	}
	return fields
}
