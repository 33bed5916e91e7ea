package compiler

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/encoding/jsonschema"

	"github.com/sledtools/pikaci/schema/plan"
)

func embeddedSchema(t *testing.T, ctx *cue.Context) cue.Value {
	t.Helper()
	files, err := schemaFiles()
	if err != nil {
		t.Fatal(err)
	}
	v, err := buildSchema(ctx, files)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func goldenPlan(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../lanes/plan.golden.json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPlanSchemaAndTypes holds plan.cue and the Go types against each other,
// field by field in both directions: names, and whether a field is required.
func TestPlanSchemaAndTypes(t *testing.T) {
	v := embeddedSchema(t, cuecontext.New())
	names := map[string]string{"Lane": "PlanLane", "Job": "PlanJob", "Incus": "PlanIncus"}
	seen := map[reflect.Type]bool{}
	var hold func(typ reflect.Type)
	hold = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		name := typ.Name()
		if n, ok := names[name]; ok {
			name = n
		}
		inCUE := fieldsOf(t, v.LookupPath(cue.ParsePath("#"+name)))
		for i := range typ.NumField() {
			tag, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			required, found := inCUE[tag]
			switch {
			case !found:
				t.Errorf("%s.%s is not in #%s", typ.Name(), tag, name)
			case required == (options == "omitempty" || options == "omitzero"):
				t.Errorf("%s.%s: required in CUE %v, %q in Go", typ.Name(), tag, required, options)
			}
			delete(inCUE, tag)
			hold(typ.Field(i).Type)
		}
		for field := range inCUE {
			t.Errorf("#%s.%s is not in %s", name, field, typ.Name())
		}
	}
	hold(reflect.TypeFor[plan.Plan]())
	if len(seen) != 13 {
		t.Errorf("%d types were compared", len(seen))
	}
}

// fieldsOf are a definition's fields and whether each is required.
func fieldsOf(t *testing.T, v cue.Value) map[string]bool {
	t.Helper()
	it, err := v.Fields(cue.Optional(true))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for it.Next() {
		out[it.Selector().Unquoted()] = it.Selector().ConstraintType() == cue.RequiredConstraint
	}
	return out
}

// TestDecoderReadsTheSchema checks that the decoder asks for each field of the
// schema, and for no other.
func TestDecoderReadsTheSchema(t *testing.T) {
	ctx := cuecontext.New()
	v := embeddedSchema(t, ctx)
	nothing, err := dataOf(ctx.CompileString("{}"))
	if err != nil {
		t.Fatal(err)
	}
	empty := nothing.top()
	d := &decoder{}
	asked := func(decode func()) []string {
		var names []string
		d.ask = func(name string) { names = append(names, name) }
		decode()
		slices.Sort(names)
		return names
	}
	for definition, decode := range map[string]func(){
		"#Lane":          func() { d.lane("x", empty, &places{}) },
		"#Job":           func() { d.job("x", empty) },
		"#Incus":         func() { d.incus(empty) },
		"#SharedPrepare": func() { d.sharedPrepare(empty) },
		"#Payload":       func() { d.payload(empty) },
		"#Role":          func() { d.role(empty) },
	} {
		var want []string
		for name := range fieldsOf(t, v.LookupPath(cue.ParsePath(definition))) {
			want = append(want, name)
		}
		slices.Sort(want)
		if got := asked(decode); !slices.Equal(got, want) {
			t.Errorf("%s: the decoder asks for %v, the schema has %v", definition, got, want)
		}
	}
}

// TestSchemaComments checks that every field says what it is, and every field
// of a lane file its default and what it takes in words.
func TestSchemaComments(t *testing.T) {
	v := embeddedSchema(t, cuecontext.New())
	it, err := v.Fields(cue.Definitions(true))
	if err != nil {
		t.Fatal(err)
	}
	authored := []string{"#Lane", "#Job", "#Incus", "#SharedPrepare", "#Payload", "#Role"}
	for it.Next() {
		name := it.Selector().String()
		if len(it.Value().Doc()) == 0 {
			t.Errorf("%s has no comment", name)
		}
		if it.Value().IncompleteKind() != cue.StructKind {
			continue
		}
		fields, err := it.Value().Fields(cue.Optional(true))
		if err != nil {
			t.Fatal(err)
		}
		for fields.Next() {
			field := name + "." + fields.Selector().String()
			doc := ""
			for _, group := range fields.Value().Doc() {
				doc += group.Text()
			}
			if doc == "" {
				t.Errorf("%s has no comment", field)
			}
			if !slices.Contains(authored, name) {
				continue
			}
			doc = strings.Join(strings.Fields(doc), " ")
			if !strings.Contains(doc, "Default: ") && !strings.Contains(doc, "No default") && !strings.Contains(doc, "At least one") {
				t.Errorf("%s does not say its default", field)
			}
			if wanted(fields.Value()) == "another value" {
				t.Errorf("%s does not say in words what it takes (@want)", field)
			}
		}
	}
}

// TestPlanSchemaAcceptsPlans checks a real plan against plan.cue and against
// the JSON Schema made from it.
func TestPlanSchemaAcceptsPlans(t *testing.T) {
	ctx := cuecontext.New()
	asCUE := embeddedSchema(t, ctx).LookupPath(cue.ParsePath("#Plan"))
	asJSON := fromJSONSchema(t, ctx, "plan")
	good := goldenPlan(t)
	for name, bad := range map[string]func(map[string]any){
		"":               func(map[string]any) {},
		"unknown field":  func(p map[string]any) { p["extra"] = 1 },
		"other version":  func(p map[string]any) { p["schema_version"] = 2 },
		"missing field":  func(p map[string]any) { delete(p, "nodes") },
		"wrong type":     func(p map[string]any) { p["jobs"].([]any)[0].(map[string]any)["timeout_secs"] = "1" },
		"out of bounds":  func(p map[string]any) { p["jobs"].([]any)[0].(map[string]any)["timeout_secs"] = 0 },
		"unknown deeper": func(p map[string]any) { p["nodes"].([]any)[0].(map[string]any)["extra"] = 1 },
	} {
		var p map[string]any
		if err := json.Unmarshal(good, &p); err != nil {
			t.Fatal(err)
		}
		bad(p)
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		v := ctx.CompileBytes(b)
		for kind, schema := range map[string]cue.Value{"CUE": asCUE, "JSON Schema": asJSON} {
			err := v.Unify(schema).Validate(cue.Concrete(true), cue.Final())
			if (err == nil) != (name == "") {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
		}
	}
}

func fromJSONSchema(t *testing.T, ctx *cue.Context, name string) cue.Value {
	t.Helper()
	b, err := Schema(name, "jsonschema")
	if err != nil {
		t.Fatal(err)
	}
	f, err := jsonschema.Extract(ctx.CompileBytes(b), &jsonschema.Config{StrictFeatures: true})
	if err != nil {
		t.Fatal(err)
	}
	v := ctx.BuildFile(f)
	if v.Err() != nil {
		t.Fatal(v.Err())
	}
	return v
}

// TestSchemaOutput checks that each schema is whole in each format.
func TestSchemaOutput(t *testing.T) {
	for _, name := range SchemaNames() {
		b, err := Schema(name, "cue")
		if err != nil {
			t.Fatal(err)
		}
		if err := cuecontext.New().CompileBytes(b).Err(); err != nil {
			t.Errorf("%s as cue: %v", name, err)
		}
	}
	ctx := cuecontext.New()
	lanes := ctx.CompileString(`alpha: {title: "a", description: "d", jobs: one: {description: "d", command: ["true"]}}`)
	if err := lanes.Unify(fromJSONSchema(t, ctx, "lanes")).Validate(cue.Concrete(true)); err != nil {
		t.Errorf("lanes as jsonschema: %v", err)
	}
	for _, bad := range [][2]string{{"runner", "cue"}, {"lanes", "yaml"}} {
		if _, err := Schema(bad[0], bad[1]); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}
