// Package plandiff says in a few lines how two plans differ: what was added,
// removed or changed, by the names that plans use. It reads JSON and knows
// nothing of what the fields mean.
package plandiff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// keys name the members of a list: the field that a list's objects are known
// by. A list of other things is one value.
var keys = []string{"id", "role", "path"}

// first are the top-level fields that explain the others' differences.
var first = []string{"schema_version", "selection"}

// maxValue is how many bytes of a value a line shows.
const maxValue = 60

// Diff gives a line for each difference: "jobs.clippy.timeout_secs: 1800 ->
// 900". The top-level fields named by skip are left out. It is an error where
// one of the two is not JSON.
func Diff(old, new []byte, skip ...string) ([]string, error) {
	a, err := decode(old)
	if err != nil {
		return nil, err
	}
	b, err := decode(new)
	if err != nil {
		return nil, err
	}
	d := &differ{}
	if a, ok := a.(map[string]any); ok {
		for _, name := range skip {
			delete(a, name)
		}
	}
	if b, ok := b.(map[string]any); ok {
		for _, name := range skip {
			delete(b, name)
		}
	}
	d.value("", a, b)
	return d.lines, nil
}

func decode(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

type differ struct{ lines []string }

func (d *differ) say(at, format string, args ...any) {
	if at == "" {
		at = "plan"
	}
	d.lines = append(d.lines, at+": "+fmt.Sprintf(format, args...))
}

func (d *differ) value(at string, a, b any) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			d.object(at, x, y)
			return
		}
	case []any:
		if y, ok := b.([]any); ok {
			d.list(at, x, y)
			return
		}
	}
	d.scalar(at, show(a), show(b))
}

func (d *differ) scalar(at, a, b string) {
	switch {
	case a == b:
	case isSum(a) && isSum(b):
		// Two sums side by side tell a reader nothing.
		d.say(at, "changed")
	default:
		d.say(at, "%s -> %s", short(a), short(b))
	}
}

func isSum(s string) bool {
	return len(s) == 66 && strings.Trim(s, `"0123456789abcdef`) == ""
}

func rank(name string) int {
	if i := slices.Index(first, name); i >= 0 {
		return i
	}
	return len(first)
}

func (d *differ) object(at string, a, b map[string]any) {
	names := slices.Sorted(maps.Keys(union(a, b)))
	if at == "" {
		slices.SortStableFunc(names, func(x, y string) int { return rank(x) - rank(y) })
	}
	for _, name := range names {
		x, inA := a[name]
		y, inB := b[name]
		switch under := join(at, name); {
		case !inA:
			d.say(under, "added, %s", short(show(y)))
		case !inB:
			d.say(under, "removed, was %s", short(show(x)))
		default:
			d.value(under, x, y)
		}
	}
}

// list compares two lists of named objects member by member, and two others as
// one value each.
func (d *differ) list(at string, a, b []any) {
	oldNames, oldByName := named(a)
	newNames, newByName := named(b)
	if oldByName == nil || newByName == nil {
		d.scalar(at, show(a), show(b))
		return
	}
	for _, name := range oldNames {
		if _, still := newByName[name]; !still {
			d.say(join(at, name), "removed")
		}
	}
	for _, name := range newNames {
		if before, was := oldByName[name]; !was {
			d.say(join(at, name), "added")
		} else {
			d.value(join(at, name), before, newByName[name])
		}
	}
	common := func(names []string, in map[string]any) []string {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return in[n] == nil })
	}
	if !slices.Equal(common(oldNames, newByName), common(newNames, oldByName)) {
		d.say(at, "in another order")
	}
}

// named gives the names of a list's members in order, and the members by name;
// nil where they have none, or not one each. An empty list fits every kind.
func named(list []any) ([]string, map[string]any) {
	for _, key := range keys {
		var names []string
		byName := map[string]any{}
		for _, member := range list {
			object, _ := member.(map[string]any)
			name, ok := object[key].(string)
			if !ok {
				break
			}
			names = append(names, name)
			byName[name] = member
		}
		if len(byName) == len(list) {
			return names, byName
		}
	}
	return nil, nil
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// show gives a value as JSON, with one encoding for equal values.
func show(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("BUG: a decoded JSON value can't be encoded: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func short(s string) string {
	if len(s) <= maxValue {
		return s
	}
	return strings.ToValidUTF8(s[:maxValue], "") + "…"
}
