package compiler

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/sledtools/pikaci/schema/plan"
)

// says are the places that a value is unified from, and those that their
// expressions use; the lane's own first, the schema's last.
func (x *explainer) says(at []string, v cue.Value) []Say {
	var own, used, of []Say
	conjuncts := []cue.Value{v}
	if op, args := v.Expr(); op == cue.AndOp {
		conjuncts = args
	}
	seen := map[token.Pos]bool{}
	for _, c := range conjuncts {
		pos := c.Pos()
		if !pos.IsValid() || seen[pos] {
			continue
		}
		seen[pos] = true
		if x.s.tree.over[pos.Filename()] != nil {
			of = append(of, x.say("schema", c))
			continue
		}
		own = append(own, x.say(x.kind(at, pos), c))
		if f, ok := c.Source().(*ast.Field); ok {
			used = append(used, x.used(at, f.Value, seen)...)
		}
	}
	slices.SortStableFunc(own, func(a, b Say) int { return rank(a) - rank(b) })
	return oneForEachLine(slices.Concat(own, used, of))
}

func rank(s Say) int {
	if s.Kind == "set" {
		return 0
	}
	return 1
}

// oneForEachLine keeps the first say of a line.
func oneForEachLine(all []Say) []Say {
	type line struct {
		file string
		line int
	}
	seen := map[line]bool{}
	return slices.DeleteFunc(all, func(s Say) bool {
		at := line{s.Position.File, s.Position.Line}
		was := seen[at]
		seen[at] = true
		return was
	})
}

// kind says what a place in the lane files is to a field: its own, a template's
// or a comprehension's.
func (x *explainer) kind(at []string, pos token.Pos) string {
	if name := x.enclosing(pos); internal(name) {
		return "template " + name
	}
	for _, here := range x.p.fields[pathKey(at...)] {
		if here.label == pos || here.value.Pos() == pos {
			return "set"
		}
	}
	return "computed"
}

// enclosing is the field at the top of a file that a place lies in.
func (x *explainer) enclosing(pos token.Pos) string {
	for _, f := range x.p.files {
		if f.Filename != pos.Filename() {
			continue
		}
		for _, d := range f.Decls {
			field, ok := d.(*ast.Field)
			if !ok || pos.Offset() < field.Pos().Offset() || pos.Offset() > field.End().Offset() {
				continue
			}
			if name, _, err := ast.LabelName(field.Label); err == nil {
				return name
			}
		}
	}
	return ""
}

// used are the places of fields that an expression names, and of those that
// these name in turn. A name is looked for as CUE does: in the struct around,
// then outwards.
func (x *explainer) used(at []string, expr ast.Expr, seen map[token.Pos]bool) []Say {
	var out []Say
	var visit func(n ast.Node) bool
	name := func(n string) {
		for depth := len(at) - 1; depth >= 0; depth-- {
			found := x.p.fields[pathKey(append(slices.Clip(at[:depth]), n)...)]
			for _, here := range found {
				if seen[here.label] {
					continue
				}
				seen[here.label] = true
				out = append(out, x.sayAt("used", here.label))
				ast.Walk(here.value, visit, nil)
			}
			if len(found) > 0 {
				return
			}
		}
	}
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			// A label names no value.
			ast.Walk(n.Value, visit, nil)
			return false
		case *ast.SelectorExpr:
			ast.Walk(n.X, visit, nil)
			return false
		case *ast.Ident:
			name(n.Name)
		}
		return true
	}
	ast.Walk(expr, visit, nil)
	return out
}

func (x *explainer) say(kind string, v cue.Value) Say {
	pos := v.Pos()
	if source := v.Source(); source != nil && source.Pos().IsValid() {
		pos = source.Pos()
	}
	return x.sayAt(kind, pos)
}

func (x *explainer) sayAt(kind string, pos token.Pos) Say {
	say := Say{Kind: kind, Position: x.p.position(pos)}
	content, err := x.s.tree.ReadFile(pos.Filename())
	if err == nil {
		lines := bytes.SplitAfterN(content, []byte("\n"), pos.Line()+1)
		if i := pos.Line() - 1; i >= 0 && i < len(lines) {
			say.Text = strings.Join(strings.Fields(string(lines[i])), " ")
		}
	}
	if x.s.tree.over[pos.Filename()] != nil {
		// The schema that counts is the embedded one, be there another on
		// disk or none.
		say.Position.File = plan.EmbeddedPrefix + "schema/" + path.Base(pos.Filename())
		say.Text, _, _ = strings.Cut(say.Text, " @want(")
	}
	return say
}
