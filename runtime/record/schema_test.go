package record_test

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/internal/typeschema"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

var update = flag.Bool("update", false, "write run.schema.json from the types")

var schemaFiles = []string{"fold.go", "../event/event.go"}

// TestRunSchemaIsOfTheTypes: run.schema.json says what the types and their
// comments do.
func TestRunSchemaIsOfTheTypes(t *testing.T) {
	version := strconv.Itoa(record.RunSchemaVersion)
	want, err := typeschema.Generate(typeschema.Document{
		ID:    "https://github.com/sledtools/pikaci/schema/run-" + version + ".json",
		Title: "The record of a run of pikaci, schema version " + version,
		About: "run.json in a run's directory: what happened, folded from its events. A later pikaci may add fields " +
			"without a new schema version: take what you don't know as if it were not there.",
		Root: reflect.TypeFor[record.Run](), Files: schemaFiles,
		Consts: map[string]any{"Run.schema_version": record.RunSchemaVersion},
		Empty: map[string]string{
			"JobRecord.verdict":  "Empty where the job has not ended, or only payloads were built",
			"NodeRecord.verdict": "Empty where the node has not ended",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("run.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if record.RunSchema() != string(want) {
		t.Errorf("run.schema.json is not of the types: go test ./runtime/record -update writes it")
	}
}

// strictSchema takes no field that it does not name.
func strictSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	closed := strings.ReplaceAll(record.RunSchema(), `"type": "object",`, `"type": "object", "additionalProperties": false,`)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(closed))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("run.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("run.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(s *jsonschema.Schema, text string) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// TestRecordsMatchTheSchema: whatever the events, and however many of them, the
// record is of the schema.
func TestRecordsMatchTheSchema(t *testing.T) {
	strict := strictSchema(t)
	source, err := typeschema.ReadSource(schemaFiles...)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		var fold record.Fold
		for range rapid.IntRange(0, 30).Draw(rt, "events") {
			field := rapid.SampledFrom(bodies()).Draw(rt, "kind")
			body := reflect.New(field.Type.Elem())
			draw(rt, body.Elem())
			settle(rt, body.Elem(), source.Values)
			e := event.Event{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
			reflect.ValueOf(&e).Elem().FieldByIndex(field.Index).Set(body)
			fold.Add(e)
		}
		b, err := json.Marshal(fold.Run())
		if err != nil {
			rt.Fatal(err)
		}
		if err := valid(strict, string(b)); err != nil {
			rt.Fatalf("%s: %v", b, err)
		}
	})
}

// settle gives names of a set a value of it.
func settle(t *rapid.T, v reflect.Value, values map[string][]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			settle(t, v.Elem(), values)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			settle(t, v.Field(i), values)
		}
	case reflect.Slice:
		for i := range v.Len() {
			settle(t, v.Index(i), values)
		}
	case reflect.String:
		if set := values[v.Type().Name()]; set != nil {
			v.SetString(rapid.SampledFrom(set).Draw(t, v.Type().Name()))
		}
	}
}

// TestRunSchemaRefuses shows that the schema says something.
func TestRunSchemaRefuses(t *testing.T) {
	strict := strictSchema(t)
	b, err := json.Marshal(new(record.Fold).Run())
	if err != nil {
		t.Fatal(err)
	}
	whole := string(b)
	if err := valid(strict, whole); err != nil {
		t.Fatalf("%s: %v", whole, err)
	}
	for from, to := range map[string]string{
		`"schema_version":1`:                  `"schema_version":2`,
		`"jobs":[]`:                           `"jobs":null`,
		`"lanes":[]`:                          `"lanes":[{"id":"a","verdict":"green"}]`,
		`"id":""`:                             `"name":""`,
		`"leases":[]`:                         `"leases":[],"more":1`,
		`"started_at":"0001-01-01T00:00:00Z"`: `"started_at":"yesterday"`,
	} {
		broken := strings.Replace(whole, from, to, 1)
		if broken == whole {
			t.Fatalf("%s has no %s", whole, from)
		}
		if valid(strict, broken) == nil {
			t.Errorf("takes %s", to)
		}
	}
}
