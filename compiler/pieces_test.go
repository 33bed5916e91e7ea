package compiler

import (
	"testing"

	"cuelang.org/go/cue/parser"
)

func TestPlain(t *testing.T) {
	for src, want := range map[string]bool{
		`a: 1`: true, "a: {b: \"x\", c: [1, {d: true}, null]}\n": true, "// c\na: b: 1": true, `"a-b": []`: true,
		`a: b`: false, `a: [b]`: false, `a: {b}`: false, `a: -b`: false, `a: (1)`: false, `a: 1 + 1`: false, `a: b.c`: false, `a: "\(b)"`: false,
		`a: [for x in [1] {x}]`: false, `(a): 1`: false, `[string]: 1`: false, `a: 1 @embed(file=x)`: false, `a: string`: false, `a: {if true {b: 1}}`: false,
		`a: [...1]`: false, `"\(a)": 1`: false,
	} {
		f, err := parser.ParseFile("x.cue", src, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if got := plain(f.Decls[len(f.Decls)-1]); got != want {
			t.Errorf("%s: %v", src, got)
		}
	}
}
