package compiler

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
)

// walker holds the user's values, evaluated without the schema, against it:
// one diagnostic for each field, all of them at once.
type walker struct {
	p   *places
	out Diagnostics
	// derived are fields computed from one that is missing; they are only
	// told of where nothing else is.
	derived Diagnostics
}

// walk evaluates the lane files against a schema of which every definition is
// open, and checks the outcome field by field. It finds nothing where the
// mistake is of another kind than a field's name, kind or value.
func (s *source) walk(p *places) Diagnostics {
	files, err := schemaFiles()
	if err != nil {
		return nil
	}
	ctx := newContext()
	want, err := buildSchema(ctx, files)
	if err != nil {
		return nil
	}
	open, err := openSchema(files)
	if err != nil {
		return nil
	}
	// A tree of its own keeps the sources and the first evaluation clean.
	bare, rel, err := openTree(s.tree.disk(s.dir))
	if err != nil {
		return nil
	}
	bare.layOver(s.schemaDirs[0], open)
	inst, err := (&source{tree: bare, dir: rel, shown: s.shown, module: s.module, schemaDirs: s.schemaDirs}).load()
	if err != nil {
		return nil
	}
	user := ctx.BuildInstance(inst)
	w := &walker{p: p}
	w.value([]string{"lanes"}, user.LookupPath(cue.ParsePath("lanes")), want.LookupPath(cue.ParsePath("#Lanes")), "lanes by id")
	if roles := user.LookupPath(cue.ParsePath("roles")); p.has("roles") && !unsaid(roles) {
		w.value([]string{"roles"}, roles, want.LookupPath(cue.ParsePath("#Roles")), "a list of roles")
	}
	if err := user.Validate(cue.Final()); err != nil {
		w.conflicts(fromCUE(p, s.shown, errors.Errors(err)))
	}
	if len(w.out) == 0 {
		w.out = w.derived
	}
	return sorted(w.out)
}

// conflicts adds what the lane files get wrong without the schema, for fields
// of which nothing was said yet.
func (w *walker) conflicts(found Diagnostics) {
	told := map[string]bool{}
	for _, d := range w.out {
		told[d.Path] = true
	}
	for _, d := range found {
		if !told[d.Path] {
			w.out = append(w.out, d)
		}
	}
}

// buildSchema compiles the embedded schema by itself.
func buildSchema(ctx *cue.Context, files map[string][]byte) (cue.Value, error) {
	inst := build.NewContext().NewInstance("", nil)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := inst.AddFile(name, files[name]); err != nil {
			return cue.Value{}, err
		}
	}
	v := ctx.BuildInstance(inst)
	return v, v.Err()
}

// openSchema is the schema's files with every definition allowing anything.
func openSchema(files map[string][]byte) (map[string][]byte, error) {
	out := make(map[string][]byte, len(files))
	for name, content := range files {
		f, err := parser.ParseFile(name, content)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		b.WriteString("package schema\n")
		for _, d := range f.Decls {
			if field, ok := d.(*ast.Field); ok {
				if label, _, err := ast.LabelName(field.Label); err == nil {
					fmt.Fprintf(&b, "%s: _\n", label)
				}
			}
		}
		out[name] = []byte(b.String())
	}
	return out, nil
}

func (w *walker) fail(at Position, path []string, hint, format string, args ...any) {
	w.out = append(w.out, Diagnostic{
		Position: at, Path: joinPath(path), Message: fmt.Sprintf(format, args...), Hint: hint})
}

// value checks one value. words say what the field takes.
func (w *walker) value(path []string, user, want cue.Value, words string) {
	kind := kindOf(user)
	switch wantKind := want.IncompleteKind(); {
	case kind == cue.BottomKind && !incomplete(user):
		// A conflict within the lane files; CUE's own error tells of it.
	case wantKind == cue.StructKind && (kind == cue.StructKind || unsaid(user)):
		w.fields(path, user, want, words)
	case wantKind == cue.ListKind && kind == cue.ListKind:
		w.list(path, user, want, words)
	case wantKind == cue.StructKind, wantKind == cue.ListKind:
		w.wrong(path, user, words)
	default:
		w.scalar(path, user, want, words)
	}
}

// kindOf is a value's kind, also of a struct or list that holds an error
// somewhere and counts as one itself.
func kindOf(v cue.Value) cue.Kind {
	if k := v.IncompleteKind(); k != cue.BottomKind {
		return k
	}
	if v.LookupPath(cue.MakePath(cue.Index(0))).Exists() {
		return cue.ListKind
	}
	if it, err := v.Fields(cue.Hidden(true)); err == nil && it.Next() {
		return cue.StructKind
	}
	return cue.BottomKind
}

// unsaid reports whether a value is bound to the schema and says nothing
// itself: the schema is open here.
func unsaid(v cue.Value) bool { return v.IncompleteKind() == cue.TopKind }

// incomplete reports whether a value lacks only something that it is made
// from.
func incomplete(v cue.Value) bool {
	return v.Err() != nil && v.Validate(cue.Final()) == nil
}

func (w *walker) scalar(path []string, user, want cue.Value, words string) {
	if !user.IsConcrete() {
		if user.Err() != nil {
			w.derived = append(w.derived, Diagnostic{Position: w.p.at(path...), Path: joinPath(path),
				Message: fmt.Sprintf("%s has no value: it is made from a field that has none", w.subject(path))})
			return
		}
		w.fail(w.p.at(path...), path, "", "%s has no definite value: want %s", w.subject(path), words)
		return
	}
	if user.Unify(want).Validate(cue.Concrete(true)) != nil {
		w.wrong(path, user, words)
	}
}

// wrong is a value of the wrong kind or out of bounds.
func (w *walker) wrong(path []string, user cue.Value, words string) {
	w.fail(w.place(path, user), path, "", "%s is %s: want %s", w.subject(path), shownValue(user), words)
}

// place is where a value was written: its own place if the syntax shows it,
// else where the evaluator says it comes from (a template, say).
func (w *walker) place(path []string, user cue.Value) Position {
	if w.p.has(path...) {
		return w.p.at(path...)
	}
	if pos := user.Pos(); pos.IsValid() && w.p.tree.over[pos.Filename()] == nil {
		return w.p.position(pos)
	}
	return w.p.at(path...)
}

func (w *walker) list(path []string, user, want cue.Value, words string) {
	before := len(w.out)
	element := want.LookupPath(cue.MakePath(cue.AnyIndex))
	for i := 0; ; i++ {
		// Not Value.List: it refuses a list that holds an error.
		v := user.LookupPath(cue.MakePath(cue.Index(i)))
		if !v.Exists() {
			break
		}
		w.value(append(slices.Clip(path), strconv.Itoa(i)), v, element, said(want, "each", words))
	}
	if len(w.out) == before && user.Err() == nil && user.Unify(want).Validate(cue.Concrete(true)) != nil {
		w.wrong(path, user, words)
	}
}

func (w *walker) fields(path []string, user, want cue.Value, words string) {
	known := knownFields(want)
	// A required field that was mistyped is one mistake, not two.
	mine := map[string]bool{}
	// With hidden fields: Fields then takes a struct that holds an error.
	it, err := user.Fields(cue.Hidden(true))
	if err != nil && !unsaid(user) {
		return
	}
	for err == nil && it.Next() {
		if it.Selector().LabelType() != cue.StringLabel {
			continue
		}
		n := it.Selector().Unquoted()
		mine[n] = true
		at := append(slices.Clip(path), n)
		if field, ok := known.values[n]; ok {
			w.value(at, it.Value(), field, wanted(field))
			continue
		}
		pattern := want.LookupPath(cue.MakePath(cue.Str(n).Optional()))
		switch {
		case pattern.Exists():
			w.value(at, it.Value(), pattern, said(want, "each", words))
		case len(known.names) == 0:
			w.fail(w.p.label(at...), at, "", "%q can't be a name in %s: want %s", n, w.subject(path), said(want, "name", words))
		default:
			near := nearest(n, known.names)
			mine[near] = true
			w.fail(w.p.label(at...), at, cmp.Or(didYouMean(near), "known fields: "+strings.Join(known.names, ", ")),
				"unknown field %s in %s", n, w.container(path))
		}
	}
	for _, n := range known.required {
		if !mine[n] {
			w.missing(path, user, n, wanted(known.values[n]))
		}
	}
}

// known are the fields that a struct of the schema names, in its order; none
// where it has a pattern alone.
type known struct {
	values          map[string]cue.Value
	names, required []string
}

func knownFields(want cue.Value) known {
	k := known{values: map[string]cue.Value{}}
	it, err := want.Fields(cue.Optional(true))
	if err != nil {
		return k
	}
	for it.Next() {
		n := it.Selector().Unquoted()
		k.values[n] = it.Value()
		k.names = append(k.names, n)
		if it.Selector().ConstraintType() == cue.RequiredConstraint {
			k.required = append(k.required, n)
		}
	}
	return k
}

// missing is a required field that is not there: the place is that of the lane
// or job around it.
func (w *walker) missing(path []string, user cue.Value, field, words string) {
	at := w.p.label(path...)
	if !w.p.has(path...) {
		at = w.place(path, user)
	}
	if field == "output_name" {
		if role, err := user.LookupPath(cue.ParsePath("role")).String(); err == nil {
			w.fail(at, path, fmt.Sprintf("say which output plays it: {role: %q, output_name: ...}", role),
				"role %q has no output name", role)
			return
		}
	}
	w.fail(at, path, "it takes "+words, "%s has no %s, which is required", w.container(path), field)
}

// wanted is what the schema says in words that a field takes.
func wanted(v cue.Value) string {
	a := v.Attribute("want")
	if s, err := a.String(0); a.Err() == nil && err == nil {
		return s
	}
	return "another value"
}

// said is what the schema says of a list's or struct's elements (each) or of a
// struct's names (name).
func said(v cue.Value, key, otherwise string) string {
	a := v.Attribute("want")
	if a.Err() == nil {
		if s, found, err := a.Lookup(0, key); found && err == nil {
			return s
		}
	}
	return otherwise
}

// container names what a path leads to: a lane, a job, or a field of one.
func (w *walker) container(path []string) string {
	switch {
	case len(path) == 2 && path[0] == "lanes":
		return "lane " + path[1]
	case len(path) == 4 && path[0] == "lanes" && path[2] == "jobs":
		return "job " + path[3]
	}
	return w.subject(path)
}

// subject names a field as its lane or job knows it, and whose it is where it
// was written there: what a template gives to several is told of once.
func (w *walker) subject(path []string) string {
	skip, owner := 1, ""
	switch {
	case path[0] != "lanes" || len(path) < 2:
		return name(path)
	case len(path) > 4 && path[2] == "jobs":
		skip, owner = 4, " of job "+path[3]
	case len(path) > 2:
		skip, owner = 2, " of lane "+path[1]
	}
	if !w.p.has(path...) {
		owner = ""
	}
	return dotted(path[skip:]) + owner
}

// dotted joins the fields of a path, with indexes in brackets.
func dotted(path []string) string {
	var b strings.Builder
	for i, field := range path {
		switch _, err := strconv.Atoi(field); {
		case err == nil && i > 0:
			b.WriteString("[" + field + "]")
		case i > 0:
			b.WriteString("." + field)
		default:
			b.WriteString(field)
		}
	}
	return b.String()
}

// name is the last field of a path, with the indexes into it.
func name(path []string) string {
	i := len(path) - 1
	for i > 0 {
		if _, err := strconv.Atoi(path[i]); err != nil {
			break
		}
		i--
	}
	s := path[i]
	for _, index := range path[i+1:] {
		s += "[" + index + "]"
	}
	return s
}

// shownValue is a value as a message shows it.
func shownValue(v cue.Value) string {
	switch v.IncompleteKind() {
	case cue.StructKind:
		return "a struct"
	case cue.ListKind:
		if n, err := v.Len().Int64(); err == nil && n == 0 {
			return "an empty list"
		}
		return "a list"
	}
	if b, err := v.MarshalJSON(); err == nil && len(b) <= 80 {
		return string(b)
	}
	return "a " + v.IncompleteKind().String()
}
