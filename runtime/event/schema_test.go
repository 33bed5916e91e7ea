package event_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/internal/typeschema"
	"github.com/sledtools/pikaci/runtime/event"
)

var update = flag.Bool("update", false, "write schema.json from the types")

// generate makes schema.json.
func generate(t *testing.T) []byte {
	t.Helper()
	b, err := typeschema.Generate(typeschema.Document{
		ID:    "https://github.com/sledtools/pikaci/schema/events-" + strconv.Itoa(event.SchemaVersion) + ".json",
		Title: "An event of pikaci, schema version " + strconv.Itoa(event.SchemaVersion),
		About: "One line of events.jsonl, or of what exec --output jsonl prints. " + readSource(t).Types["Event"] +
			". A later pikaci may add events and fields without a new schema version: take what you don't know as if it were not there.",
		Root: reflect.TypeFor[event.Event](), Files: []string{"event.go"},
		Consts:  map[string]any{"JournalOpened.schema_version": event.SchemaVersion},
		Members: []typeschema.Member{{Name: "minProperties", Value: 3}, {Name: "maxProperties", Value: 3}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readSource(t *testing.T) typeschema.Source {
	t.Helper()
	s, err := typeschema.ReadSource("event.go")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaIsOfTheTypes: schema.json says what the types and their comments do.
func TestSchemaIsOfTheTypes(t *testing.T) {
	want := generate(t)
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if event.Schema() != string(want) {
		t.Errorf("schema.json is not of the types: go test ./runtime/event -update writes it")
	}
}

// compile readies the schema; strict, it takes no field that it does not name.
func compile(t *testing.T, strict bool) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(generate(t)))
	if err != nil {
		t.Fatal(err)
	}
	if strict {
		closeObjects(doc)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("events.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("events.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// closeObjects refuses other properties wherever some are named.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, each := range v {
			closeObjects(each)
		}
	case []any:
		for _, each := range v {
			closeObjects(each)
		}
	}
}

// TestEventsMatchTheSchema holds every event, with any values that it can
// have, against the schema.
func TestEventsMatchTheSchema(t *testing.T) {
	strict, source := compile(t, true), readSource(t)
	for _, f := range reflect.VisibleFields(reflect.TypeFor[event.Event]()) {
		if f.Type.Kind() != reflect.Pointer {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				e := event.Event{Seq: 1, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}
				body := reflect.New(f.Type.Elem())
				fill(rt, body.Elem(), source.Values)
				reflect.ValueOf(&e).Elem().FieldByIndex(f.Index).Set(body)
				if e.JournalOpened != nil {
					e.JournalOpened.SchemaVersion = event.SchemaVersion
				}
				b, err := json.Marshal(e)
				if err != nil {
					rt.Fatal(err)
				}
				if err := valid(strict, b); err != nil {
					rt.Fatalf("%s: %v", b, err)
				}
			})
		})
	}
}

func valid(s *jsonschema.Schema, line []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// fill gives v any value that a run may give it: no list is missing, and names
// of a set are of it.
func fill(t *rapid.T, v reflect.Value, values map[string][]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "there") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), values)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "time"), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i), values)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 2).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i), values)
		}
	case reflect.String:
		if set := values[v.Type().Name()]; set != nil {
			v.SetString(rapid.SampledFrom(set).Draw(t, v.Type().Name()))
			return
		}
		v.SetString(rapid.String().Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(-3, 1<<53).Draw(t, "number"))
	default:
		panic("BUG: events have a field of kind " + v.Kind().String())
	}
}

// TestSchemaRefuses shows that the schema says something, and what it leaves
// open for a later pikaci.
func TestSchemaRefuses(t *testing.T) {
	open, strict := compile(t, false), compile(t, true)
	for line, ok := range map[string]bool{
		`{"seq":1,"time":"2026-01-02T03:04:05Z","interrupted":{"reason":"r"}}`:                                    true,
		`{"seq":1,"time":"2026-01-02T03:04:05Z","interrupted":{"reason":"r","more":1}}`:                           true,
		`{"seq":1,"time":"2026-01-02T03:04:05Z","later":{}}`:                                                      true,
		`{"seq":1,"time":"2026-01-02T03:04:05Z"}`:                                                                 false,
		`{"seq":1,"time":"yesterday","interrupted":{"reason":"r"}}`:                                               false,
		`{"time":"2026-01-02T03:04:05Z","interrupted":{"reason":"r"}}`:                                            false,
		`{"seq":1,"time":"2026-01-02T03:04:05Z","interrupted":{}}`:                                                false,
		`{"seq":1,"time":"2026-01-02T03:04:05Z","interrupted":{"reason":"r"},"node_started":{}}`:                  false,
		`{"seq":1,"time":"2026-01-02T03:04:05Z","lane_finished":{"lane":"a","verdict":"green"}}`:                  false,
		`{"seq":1,"time":"2026-01-02T03:04:05Z","run_started":{"plan_digest":null}}`:                              false,
		`{"seq":1,"time":"2026-01-02T03:04:05Z","journal_opened":{"schema_version":2,"run_id":"r","pikaci":"v"}}`: false,
	} {
		if err := valid(open, []byte(line)); (err == nil) != ok {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{
		`{"seq":1,"time":"2026-01-02T03:04:05Z","interrupted":{"reason":"r","more":1}}`,
		`{"seq":1,"time":"2026-01-02T03:04:05Z","later":{}}`,
	} {
		if err := valid(strict, []byte(line)); err == nil {
			t.Errorf("strict takes %s", line)
		}
	}
}
