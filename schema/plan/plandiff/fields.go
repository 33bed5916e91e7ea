package plandiff

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// value gives Go data as its JSON decodes, so that every field is compared,
// one that is added to the plan tomorrow too.
func value(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: a part of a plan can't be encoded: " + err.Error())
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out any
	if err := d.Decode(&out); err != nil {
		panic("BUG: a part of a plan can't be decoded: " + err.Error())
	}
	return out
}

func object(v any) map[string]any { return value(v).(map[string]any) }

// fields compares two objects field by field, sorted by name; fields of an
// object within are told one by one, a list is one value.
func fields(a, b map[string]any) []Field { return under("", a, b) }

func under(at string, a, b map[string]any) []Field {
	all := maps.Clone(a)
	maps.Copy(all, b)
	var out []Field
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x, y := a[name], b[name]
		in, isObject := x.(map[string]any)
		to, areObjects := y.(map[string]any)
		switch {
		case isObject && areObjects:
			out = append(out, under(at+name+".", in, to)...)
		case show(x) != show(y):
			out = append(out, Field{at + name, x, y})
		}
	}
	return out
}

// Documents compares two JSON objects of another format field by field, as
// lines for a person.
func Documents(old, new []byte) ([]string, error) {
	var a, b map[string]any
	for _, in := range []struct {
		text []byte
		to   *map[string]any
	}{{old, &a}, {new, &b}} {
		d := json.NewDecoder(bytes.NewReader(in.text))
		d.UseNumber()
		if err := d.Decode(in.to); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, f := range fields(a, b) {
		out = append(out, "~ "+f.String())
	}
	return out, nil
}
