package compiler

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"

	"github.com/sledtools/pikaci/schema"
)

// evaluate is the stage that CUE lives in: what it returns is Go data. Good
// lane files are evaluated once. Bad ones are evaluated a second time without
// the schema, and held against it field by field: CUE's own errors stop at the
// first kind of mistake and point into the schema.
func (s *source) evaluate() ([]laneFile, []role, *places, error) {
	files, err := s.parse()
	if err != nil {
		return nil, nil, nil, err
	}
	lanes, roles, p, outcome := s.evaluateParts(files)
	switch outcome {
	case wasRight:
		return lanes, roles, p, nil
	case wasWrong:
		// The evaluator left its marks in the syntax.
		if files, err = s.parse(); err != nil {
			return nil, nil, nil, err
		}
	}
	return s.evaluateWhole(files)
}

// evaluateWhole evaluates all lanes in one piece, bound to the schema.
func (s *source) evaluateWhole(files []*ast.File) ([]laneFile, []role, *places, error) {
	inst, err := s.complete(files)
	if err != nil {
		return nil, nil, nil, err
	}
	p := readPlaces(s.tree, inst.Files)
	if found := s.binding(p); len(found) > 0 {
		if p.has("lanes") && len(p.nameless()) == 0 {
			// What is bound wrongly can still be read.
			found = append(found, s.walk(p)...)
		}
		return nil, nil, nil, found
	}
	v := newContext().BuildInstance(inst)
	if err := v.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return nil, nil, nil, s.explain(p, errors.Errors(err))
	}
	read, err := dataOf(v)
	if err != nil {
		return nil, nil, nil, err
	}
	lanes, roles, err := decodeLanes(read, p)
	if err != nil {
		return nil, nil, nil, err
	}
	return lanes, roles, p, nil
}

// newContext fixes what the environment could change (CUE_DEBUG): a plan is
// no function of it.
func newContext() *cue.Context {
	return cuecontext.New(cuecontext.EvaluatorVersion(cuecontext.EvalV3), cuecontext.CUE_DEBUG(""))
}

// binding checks that the package's fields are bound to the schema, so that
// stock cue and the editor see the constraints that count here, and that
// nothing stands where it would be lost.
func (s *source) binding(p *places) Diagnostics {
	var out Diagnostics
	for _, b := range []struct{ field, definition string }{{"lanes", "#Lanes"}, {"roles", "#Roles"}} {
		written := p.fields[b.field]
		bound := slices.ContainsFunc(written, func(at place) bool { return s.bindsTo(at, b.definition, p.files) })
		switch {
		case len(written) == 0 && b.field == "lanes":
			out = append(out, Diagnostic{Position: Position{File: s.shown}, Message: "no lanes in the lane files",
				Hint: "a lane is written as lanes: my_lane: {title: ..., jobs: {...}}"})
		case len(written) > 0 && !bound:
			d := Diagnostic{Position: p.label(b.field), Path: b.field,
				Message: b.field + " is not bound to the schema",
				Hint:    fmt.Sprintf("one file must import %q and say %s: schema.%s", schema.ImportPath, b.field, b.definition)}
			if at, name := s.boundElse(written, p.files); name != "" {
				d.Position = p.position(at)
				d.Message = b.field + " is bound to schema." + name
				d.Hint = "write schema." + b.definition
			}
			out = append(out, d)
		}
	}
	for _, name := range p.topLevel() {
		if name != "lanes" && name != "roles" {
			shown := joinPath([]string{name})
			out = append(out, Diagnostic{Position: p.label(name), Path: shown,
				Message: "unknown field " + shown + " at the top of the lane files",
				Hint:    p.topHint(name)})
		}
	}
	out = append(out, p.nameless()...)
	for key := range p.fields {
		path := strings.Split(key, "\x00")
		if len(path) != 2 || path[0] != "lanes" {
			continue
		}
		// Unification would add the two up, unseen in either file.
		if at := p.spread(path...); len(at) > 1 {
			out = append(out, Diagnostic{Position: at[0], Path: joinPath(path), Others: at[1:],
				Message: "lane " + path[1] + " is spread over " + count(len(at)) + " files",
				Hint:    "keep a lane in one file; what lanes share is written as a hidden field, like _staged"})
		}
	}
	return sorted(out)
}

// nameless are values that stand alone at the top of a file: a struct is
// embedded in the package, anything else contradicts it.
func (p *places) nameless() Diagnostics {
	var out Diagnostics
	for _, f := range p.files {
		for _, d := range f.Decls {
			embed, ok := d.(*ast.EmbedDecl)
			if !ok {
				continue
			}
			switch x := embed.Expr.(type) {
			case *ast.BasicLit, *ast.ListLit, *ast.Interpolation:
				out = append(out, Diagnostic{Position: p.position(x.Pos()),
					Message: "a value without a name stands at the top of the file", Hint: "a field is written as name: value"})
			}
		}
	}
	return out
}

// topHint says of a field at the top what was meant.
func (p *places) topHint(name string) string {
	if name == "" {
		return "give it a name"
	}
	if p.has(name, "title") || p.has(name, "jobs") {
		return "a lane is written as lanes: " + name + ": {...}"
	}
	return cmp.Or(meant(name, []string{"lanes", "roles"}),
		"known are lanes and roles; what lanes share is written as a hidden field: _"+name)
}

func count(n int) string {
	if n == 2 {
		return "two"
	}
	return strconv.Itoa(n)
}

// bindsTo reports whether a field's value is, or is unified with, the schema's
// definition.
func (s *source) bindsTo(at place, definition string, files []*ast.File) bool {
	return slices.ContainsFunc(definitionsIn(at, files), func(sel *ast.SelectorExpr) bool {
		name, _, err := ast.LabelName(sel.Sel)
		return err == nil && name == definition
	})
}

// boundElse finds the definition of the schema that a field is bound to in
// place of its own; empty where it is bound to none.
func (s *source) boundElse(written []place, files []*ast.File) (at token.Pos, name string) {
	for _, w := range written {
		for _, sel := range definitionsIn(w, files) {
			if name, _, err := ast.LabelName(sel.Sel); err == nil {
				return sel.Pos(), name
			}
		}
	}
	return token.NoPos, ""
}

// definitionsIn are what a field's value names of the schema.
func definitionsIn(at place, files []*ast.File) []*ast.SelectorExpr {
	file := files[slices.IndexFunc(files, func(f *ast.File) bool { return f.Filename == at.label.Filename() })]
	local := ""
	for imp := range file.ImportSpecs() {
		if ast.ParseImportPath(unquoted(imp.Path)).Path == schema.ImportPath {
			local = localName(imp)
		}
	}
	var out []*ast.SelectorExpr
	var look func(x ast.Expr)
	look = func(x ast.Expr) {
		switch x := x.(type) {
		case *ast.SelectorExpr:
			if pkg, ok := x.X.(*ast.Ident); ok && local != "" && pkg.Name == local {
				out = append(out, x)
			}
		case *ast.BinaryExpr:
			if x.Op == token.AND {
				look(x.X)
				look(x.Y)
			}
		case *ast.ParenExpr:
			look(x.X)
		}
	}
	look(at.value)
	return out
}

// explain says what is wrong in the lane files' own terms.
func (s *source) explain(p *places, found []errors.Error) Diagnostics {
	if out := s.walk(p); len(out) > 0 {
		return out
	}
	return fromCUE(p, s.shown, found)
}

// fromCUE turns CUE's errors into diagnostics: one for each field, at its
// place in a lane file.
func fromCUE(p *places, shown string, found []errors.Error) Diagnostics {
	var out Diagnostics
	seen := map[string]bool{}
	for _, e := range found {
		var whole *fileError
		if errors.As(e, &whole) {
			out = append(out, Diagnostic{Position: Position{File: p.tree.display(whole.name)}, Message: whole.why, Hint: whole.hint})
			continue
		}
		positions := userPositions(p, e)
		path := pathOf(e)
		if len(positions) == 0 && len(found) > 1 && len(path) > 0 && hasOther(found, e) {
			// The head of a group of errors, like "2 errors in empty
			// disjunction"; its members follow.
			continue
		}
		d := Diagnostic{Path: joinPath(path), Position: Position{File: shown}}
		switch own := e.Position(); {
		case own.IsValid() && p.tree.over[own.Filename()] == nil:
			d.Position = p.position(own)
		case len(path) > 0 && p.has(path...):
			d.Position = p.at(path...)
		case len(positions) > 0:
			d.Position = positions[0]
		case len(path) > 0 && len(p.files) > 0:
			d.Position = p.at(path...)
		}
		for _, other := range positions {
			if other != d.Position && len(path) > 0 {
				d.Others = append(d.Others, other)
			}
		}
		if at, found := p.embedded(e); found {
			d.Position, d.Others = at, append([]Position{d.Position}, d.Others...)
		}
		d.Message = message(e)
		d = p.unopened(p.advise(d, e), e)
		key := d.Path
		if key == "" {
			key = d.Position.String()
		} else if isReference(e) {
			// A field may hold several, but what has no quotes is one text.
			key += fmt.Sprintf("\x00%s:%d", d.Position.File, d.Position.Line)
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, d)
		}
	}
	return sorted(out)
}

// pathOf are the labels of the field that an error is about. Some errors have
// them as they are written, in quotes.
func pathOf(e errors.Error) []string {
	path := slices.DeleteFunc(slices.Clone(e.Path()), func(field string) bool { return field == "let[]" })
	for i, label := range path {
		if name, err := literal.Unquote(label); err == nil {
			path[i] = name
		}
	}
	return path
}

// hasOther reports whether another error tells of the same field.
func hasOther(found []errors.Error, e errors.Error) bool {
	return slices.ContainsFunc(found, func(o errors.Error) bool {
		return o != e && slices.Equal(o.Path(), e.Path())
	})
}

// userPositions are an error's places in files of the user.
func userPositions(p *places, e errors.Error) []Position {
	var out []Position
	for _, pos := range errors.Positions(e) {
		name := pos.Filename()
		if name == "" || p.tree.over[name] != nil {
			continue
		}
		if at := p.position(pos); !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// joinPath writes a path as CUE does: quoted where a label is no identifier.
// Ids with dashes stay bare, they are read by people.
func joinPath(path []string) string {
	var b strings.Builder
	for i, e := range path {
		if e == "" || strings.ContainsAny(e, ". \"") {
			e = fmt.Sprintf("%q", e)
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(e)
	}
	return b.String()
}

// sorted puts diagnostics in source order and drops duplicates.
func sorted(d Diagnostics) Diagnostics {
	slices.SortStableFunc(d, func(a, b Diagnostic) int {
		return cmp.Or(
			strings.Compare(a.Position.File, b.Position.File),
			cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column),
			strings.Compare(a.Path, b.Path),
		)
	})
	return slices.CompactFunc(d, func(a, b Diagnostic) bool {
		return a.Position == b.Position && a.Message == b.Message
	})
}
