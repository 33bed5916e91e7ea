package event_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime/event"
)

var update = flag.Bool("update", false, "write schema.json from the types")

// object is a JSON object whose keys keep their order.
type object []member

type member struct {
	key   string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		k, _ := json.Marshal(m.key)
		v, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// source is what only the source of the types says: comments, and the values
// of types that are names.
type source struct {
	types  map[string]string
	fields map[string]map[string]string
	values map[string][]string
}

func readSource(t *testing.T) source {
	t.Helper()
	s := source{types: map[string]string{}, fields: map[string]map[string]string{}, values: map[string][]string{}}
	f, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				s.types[spec.Name.Name] = text(g.Doc)
				if st, ok := spec.Type.(*ast.StructType); ok {
					s.fields[spec.Name.Name] = fieldComments(st)
				}
			case *ast.ValueSpec:
				if name, ok := spec.Type.(*ast.Ident); ok {
					v, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					s.values[name.Name] = append(s.values[name.Name], v)
				}
			}
		}
	}
	return s
}

func fieldComments(st *ast.StructType) map[string]string {
	comments := map[string]string{}
	for _, f := range st.Fields.List {
		for _, n := range f.Names {
			comments[n.Name] = text(f.Doc)
		}
	}
	return comments
}

func text(c *ast.CommentGroup) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(c.Text()), " "), ".")
}

// generator makes a schema of the types.
type generator struct {
	source
	defs object
	done map[string]bool
}

// generate makes schema.json.
func generate(t *testing.T) []byte {
	g := &generator{source: readSource(t), done: map[string]bool{}}
	properties := object{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[event.Event]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		value := g.of(f.Type)
		if doc := g.fields["Event"][f.Name]; doc != "" {
			value = append(value, member{"description", doc})
		}
		properties = append(properties, member{name, value})
	}
	b, err := json.MarshalIndent(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "https://github.com/sledtools/pikaci/schema/events-" + strconv.Itoa(event.SchemaVersion) + ".json"},
		{"title", "An event of pikaci, schema version " + strconv.Itoa(event.SchemaVersion)},
		{"description", "One line of events.jsonl, or of what exec --output jsonl prints. " + g.types["Event"] +
			". A later pikaci may add events and fields without a new schema version: take what you don't know as if it were not there."},
		{"type", "object"},
		{"required", []string{"seq", "time"}},
		{"minProperties", 3},
		{"maxProperties", 3},
		{"properties", properties},
		{"$defs", g.defs},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// of is the schema of a type.
func (g *generator) of(typ reflect.Type) object {
	switch {
	case typ.Kind() == reflect.Pointer:
		return g.of(typ.Elem())
	case typ == reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}
	case typ.Kind() == reflect.Struct:
		g.define(typ)
		return object{{"$ref", "#/$defs/" + typ.Name()}}
	case typ.Kind() == reflect.Slice:
		return object{{"type", "array"}, {"items", g.of(typ.Elem())}}
	case typ.Kind() == reflect.String && typ.Name() != "string":
		return object{{"enum", g.values[typ.Name()]}}
	case typ.Kind() == reflect.String:
		return object{{"type", "string"}}
	case typ.Kind() == reflect.Bool:
		return object{{"type", "boolean"}}
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Int64:
		return object{{"type", "integer"}}
	}
	panic("BUG: no schema for " + typ.String())
}

// define puts a struct among the definitions, once.
func (g *generator) define(typ reflect.Type) {
	if g.done[typ.Name()] {
		return
	}
	g.done[typ.Name()] = true
	at := len(g.defs)
	g.defs = append(g.defs, member{typ.Name(), nil})
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(typ) {
		if f.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		value := g.of(f.Type)
		if typ == reflect.TypeFor[event.JournalOpened]() && name == "schema_version" {
			value = object{{"const", event.SchemaVersion}}
		}
		owner := typ.Name()
		if len(f.Index) > 1 { // of an embedded struct
			owner = typ.FieldByIndex(f.Index[:1]).Type.Name()
		}
		if doc := g.fields[owner][f.Name]; doc != "" {
			value = append(value, member{"description", doc})
		}
		properties = append(properties, member{name, value})
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	def := object{{"description", g.types[typ.Name()]}, {"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		def = append(def, member{"required", required})
	}
	g.defs[at].value = def
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
				fill(rt, body.Elem(), source.values)
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
