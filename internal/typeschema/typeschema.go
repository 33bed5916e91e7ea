// Package typeschema makes a JSON Schema (draft 2020-12) of Go types, their
// tags and their comments, so that a published schema can't say anything else
// than the code. Tests write the schemas with it; pikaci itself does not.
package typeschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Document is the schema of a type to make.
type Document struct {
	ID, Title string
	// About is the description.
	About string
	Root  reflect.Type
	// Files hold the types' sources.
	Files []string
	// Consts are values that a field, by "Type.json_name", always has.
	Consts map[string]any
	// Empty are names, by "Type.json_name", that may be empty, and what that
	// means.
	Empty map[string]string
	// Members stand behind those of the root.
	Members []Member
}

// Member is a name and its value in a JSON object that keeps its order.
type Member struct {
	Name  string
	Value any
}

// object is a JSON object whose members keep their order.
type object []Member

// MarshalJSON writes them in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		v, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", m.Name, v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// generator makes a schema of the types.
type generator struct {
	Source
	Document
	defs object
	done map[string]reflect.Type
}

// Generate makes the schema, as indented JSON. Fields that it does not name
// are allowed: a later pikaci may add some.
func Generate(d Document) ([]byte, error) {
	source, err := ReadSource(d.Files...)
	if err != nil {
		return nil, err
	}
	g := &generator{Source: source, Document: d, done: map[string]reflect.Type{}}
	properties, required := g.properties(d.Root)
	o := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", d.ID},
		{"title", d.Title},
		{"description", d.About},
		{"type", "object"},
		{"required", required},
	}
	o = append(o, d.Members...)
	o = append(o, Member{"properties", properties}, Member{"$defs", g.defs})
	b, err := json.MarshalIndent(o, "", "  ")
	return append(b, '\n'), err
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
		return object{{"enum", g.Values[typ.Name()]}}
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
	if before := g.done[typ.Name()]; before != nil {
		if before != typ {
			panic(fmt.Sprintf("BUG: %s and %s have one name", before, typ))
		}
		return
	}
	g.done[typ.Name()] = typ
	at := len(g.defs)
	g.defs = append(g.defs, Member{typ.Name(), nil})
	properties, required := g.properties(typ)
	def := object{{"description", g.Types[typ.Name()]}, {"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		def = append(def, Member{"required", required})
	}
	g.defs[at].Value = def
}

// properties are those of a struct, with those of what it embeds, and the
// names of those that are always there.
func (g *generator) properties(typ reflect.Type) (properties object, required []string) {
	properties, required = object{}, []string{}
	for _, f := range reflect.VisibleFields(typ) {
		if f.Anonymous {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		value := g.of(f.Type)
		if c, ok := g.Consts[typ.Name()+"."+name]; ok {
			value = object{{"const", c}}
		}
		if means, ok := g.Empty[typ.Name()+"."+name]; ok {
			value = object{{"enum", append(slices.Clone(g.Values[f.Type.Name()]), "")}, {"description", means}}
		}
		owner := typ.Name()
		if len(f.Index) > 1 { // of an embedded struct
			owner = typ.FieldByIndex(f.Index[:1]).Type.Name()
		}
		if doc := g.Fields[owner][f.Name]; doc != "" {
			value = append(value, Member{"description", doc})
		}
		properties = append(properties, Member{name, value})
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	return properties, required
}
