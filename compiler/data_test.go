package compiler

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
)

// written writes a value out, fields by name.
func written(d datum) string {
	var all []string
	for f := range d.within() {
		all = append(all, written(f))
	}
	if d.kind == cue.StructKind {
		slices.Sort(all)
	}
	return fmt.Sprintf("%q %v %q %d %v (%s)", d.label, d.kind, d.text, d.number, d.flag, strings.Join(all, ", "))
}

// TestQuicklyIsSlowly reads values behind CUE's back and by what it offers: the
// same. Where this fails after an update of CUE, quickly is to be mended.
func TestQuicklyIsSlowly(t *testing.T) {
	for _, c := range []struct {
		value string
		// slow says that only slowly can say what is there.
		slow bool
	}{
		{value: `{}`},
		{value: `"x"`},
		{value: `{a: 1, b: "two", c: true, d: [1, [2], {e: 3}], "f-g": {h: {}}}`},
		{value: `{a: *1 | int, b: int | *2, c: *{d: 1} | {e: 2}, f: *[1] | [2]}`},
		{value: `{a: b.c, b: {c: {d: "x"}}, e: a & {d: string}}`},
		{value: `{a?: 1, b!: 2, b: int, _c: 3, #D: 4, d: #D, let E = 5, e: E}`},
		{value: `{a: {"x", #b: 1}, c: {[1, 2], _d: 3}, e: "\(a)-\(c[0])"}`},
		{value: `{a: [...string], b: ["x", ...], c: [for x in [1, 2] {x}], for x in ["d", "e"] {(x): x}}`},
		{value: `{a: -0x10, b: 6K, c: 1_000, d: """
			two
			lines
			""", e: #"\"#}`},
		{value: `{a: close({b: 1}), c: #D & {e: 2}, #D: {e?: int, f?: string}, if a.b > 0 {g: 1}}`},
		{value: `{a: 1.5}`, slow: true},
		{value: `{a: null}`, slow: true},
		{value: `{a: 'bytes'}`, slow: true},
		{value: `{a: 10 / 5}`, slow: true},
	} {
		v := newContext().CompileString(c.value)
		if err := v.Validate(cue.Concrete(true), cue.Final()); err != nil {
			t.Fatalf("%s: %v", c.value, err)
		}
		want, err := slowly(v)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := quickly(v)
		switch {
		case ok == c.slow:
			t.Errorf("%s: read quickly: %v", c.value, ok)
		case ok && written(got.top()) != written(want.top()):
			t.Errorf("%s:\nquickly %s\nslowly  %s", c.value, written(got.top()), written(want.top()))
		}
	}
}
