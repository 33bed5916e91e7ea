package compiler

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/token"
)

// split is a lane package taken apart, so that its lanes can be evaluated a few
// at a time and side by side: the evaluator uses one core, and holds on to all
// that it made until the last lane is done.
//
// A lane that nothing refers to is unified with the schema and with what all
// lanes share, and with nothing else. Where the syntax does not show that, the
// package is not taken apart.
type split struct {
	files []splitFile
	// ids are those of the lanes, in the order of the files.
	ids []string
	// bare says that the lanes come out the same without the schema.
	bare bool
}

// splitFile is a file's declarations by what they are for.
type splitFile struct {
	*ast.File
	clause  *ast.Package
	imports []*ast.ImportSpec
	lanes   []laneDecl
	common  []span
}

// laneDecl is one lane as a declaration of its own at the top of a file.
type laneDecl struct {
	id   string
	decl *ast.Field
}

// span is where a declaration that all lanes share stands in its file.
type span struct {
	decl       ast.Decl
	start, end int
	// binds says that it binds lanes or roles to the schema.
	binds bool
}

// takeApart gives nil for a package whose lanes can't be told apart.
func takeApart(files []*ast.File) *split {
	s := &split{files: make([]splitFile, len(files))}
	var failed, bound atomic.Bool
	var all sync.WaitGroup
	for i, f := range files {
		all.Go(func() {
			var ok bool
			if s.files[i], ok = takeFileApart(f); !ok || s.files[i].refersToLanes() {
				failed.Store(true)
			} else if !s.files[i].bare() {
				bound.Store(true)
			}
		})
	}
	all.Wait()
	if failed.Load() {
		return nil
	}
	_, err := lawOfSchema()
	s.bare = err == nil && !bound.Load()
	known := map[string]bool{}
	for i := range s.files {
		for _, l := range s.files[i].lanes {
			if !known[l.id] {
				known[l.id] = true
				s.ids = append(s.ids, l.id)
			}
		}
	}
	return s
}

// takeFileApart gives false for a file that says something of lanes in another
// way than by naming them.
func takeFileApart(f *ast.File) (out splitFile, ok bool) {
	out.File = f
	scoped := false
	for i, d := range f.Decls {
		switch d := d.(type) {
		case *ast.Package:
			out.clause = d
		case *ast.CommentGroup:
		case *ast.ImportDecl:
			out.imports = append(out.imports, d.Specs...)
		case *ast.LetClause:
			scoped = true
			out.share(i)
		case *ast.Field:
			name, _, err := ast.LabelName(d.Label)
			switch {
			case err != nil || d.Alias != nil:
				return out, false
			case name != "lanes" || isBinding(d.Value) || isPattern(d.Value):
				out.share(i)
			case !out.takeLanes(d):
				return out, false
			}
		default:
			// Comprehensions, embeddings and attributes may make lanes, or
			// change what the file means.
			return out, false
		}
	}
	// A let is seen in its own file only, which a part would lack.
	return out, out.clause != nil && !(scoped && len(out.lanes) > 0)
}

// share notes a declaration that every part needs.
func (f *splitFile) share(i int) {
	at := span{decl: f.Decls[i], start: f.Decls[i].Pos().Offset(), end: -1}
	if field, ok := at.decl.(*ast.Field); ok {
		at.binds = bindsSchema(field)
	}
	if i+1 < len(f.Decls) {
		at.end = f.Decls[i+1].Pos().Offset()
	}
	f.common = append(f.common, at)
}

// isBinding reports whether a value is a definition of another package.
func isBinding(x ast.Expr) bool {
	sel, ok := x.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok {
		return false
	}
	_, ok = pkg.Node.(*ast.ImportSpec)
	return ok
}

// isPattern reports whether a value is what all lanes are to be, and no lane.
func isPattern(x ast.Expr) bool {
	s, ok := x.(*ast.StructLit)
	if !ok || len(s.Elts) != 1 {
		return false
	}
	f, ok := s.Elts[0].(*ast.Field)
	if !ok || f.Alias != nil {
		return false
	}
	_, ok = f.Label.(*ast.ListLit)
	return ok
}

// takeLanes takes the lanes of a `lanes: {...}` apart.
func (f *splitFile) takeLanes(d *ast.Field) bool {
	s, ok := d.Value.(*ast.StructLit)
	if !ok || d.Constraint != token.ILLEGAL || len(d.Attrs) > 0 {
		return false
	}
	for _, e := range s.Elts {
		if _, ok := e.(*ast.CommentGroup); ok {
			continue
		}
		lane, ok := e.(*ast.Field)
		if !ok || lane.Alias != nil || lane.Constraint != token.ILLEGAL {
			return false
		}
		id, _, err := ast.LabelName(lane.Label)
		if err != nil {
			return false
		}
		decl := d
		if len(s.Elts) > 1 {
			own := *s
			own.Elts = []ast.Decl{lane}
			copied := *d
			copied.Value = &own
			decl = &copied
		}
		f.lanes = append(f.lanes, laneDecl{id, decl})
	}
	return true
}

// refersToLanes reports whether a file refers to a lane, to all of them or to
// what holds them; or has an import of no use, which a part might lack.
func (f *splitFile) refersToLanes() bool {
	lanes := map[ast.Node]bool{}
	for _, d := range f.Decls {
		if field, ok := d.(*ast.Field); ok {
			if name, _, err := ast.LabelName(field.Label); err == nil && name == "lanes" {
				markLanes(field.Value, lanes)
			}
		}
	}
	if slices.ContainsFunc(f.Unresolved, func(id *ast.Ident) bool {
		return id != f.clause.Name && (id.Name == "lanes" || strings.TrimPrefix(id.Name, "__") == "self")
	}) {
		return true
	}
	used := map[ast.Node]bool{}
	ast.Walk(f.File, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Package:
			// Its name is taken for a reference too.
			return false
		case *ast.Ident:
			used[n.Node] = true
		}
		return true
	}, nil)
	for n := range lanes {
		if used[n] {
			return true
		}
	}
	return slices.ContainsFunc(f.imports, func(spec *ast.ImportSpec) bool { return !used[spec] })
}

// markLanes notes what a reference to a lane, or to all of them, leads to.
func markLanes(lanes ast.Expr, into map[ast.Node]bool) {
	into[lanes] = true
	s, ok := lanes.(*ast.StructLit)
	if !ok {
		return
	}
	for _, e := range s.Elts {
		if lane, ok := e.(*ast.Field); ok {
			into[lane.Value] = true
			if a, ok := lane.Value.(*ast.Alias); ok {
				into[a.Expr] = true
			}
		}
	}
}

// part gives the files of the lanes that take accepts, bound to the schema or
// not; their syntax is that of the package, which must not be evaluated itself
// after. What all parts share is parsed anew for each.
func (s *split) part(p *packages, bound bool, take func(id string) bool) ([]*ast.File, error) {
	var out []*ast.File
	for i := range s.files {
		f := &s.files[i]
		shared := f.common
		if !bound {
			shared = slices.DeleteFunc(slices.Clone(shared), func(at span) bool { return at.binds })
		}
		if len(shared) > 0 {
			common, err := p.parseContent(f.Filename, f.text(shared, p.tree.content(f.Filename)))
			if err != nil {
				return nil, err
			}
			out = append(out, common)
		}
		if own := f.take(take); own != nil {
			out = append(out, own)
		}
	}
	return out, nil
}

// take gives the lanes that are accepted as a file; nil if there is none.
func (f *splitFile) take(take func(id string) bool) *ast.File {
	var decls []ast.Decl
	for _, l := range f.lanes {
		if take(l.id) {
			decls = append(decls, l.decl)
		}
	}
	switch {
	case len(decls) == 0:
		return nil
	case len(decls) == len(f.lanes) && len(f.common) == 0:
		return f.File
	}
	// Resolving writes to the clause too, and parts are resolved side by side.
	clause, name := *f.clause, *f.clause.Name
	clause.Name = &name
	head := []ast.Decl{&clause}
	if specs := f.importsOf(decls); len(specs) > 0 {
		head = append(head, &ast.ImportDecl{Specs: specs})
	}
	own := &ast.File{Filename: f.Filename, Decls: append(head, decls...)}
	astutil.Resolve(own, func(token.Pos, string, ...any) {})
	return own
}

// importsOf are the imports that declarations use.
func (f *splitFile) importsOf(decls []ast.Decl) []*ast.ImportSpec {
	if len(f.imports) == 0 {
		return nil
	}
	used := map[ast.Node]bool{}
	for _, d := range decls {
		ast.Walk(d, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Node != nil {
				used[id.Node] = true
			}
			return true
		}, nil)
	}
	return slices.DeleteFunc(slices.Clone(f.imports), func(spec *ast.ImportSpec) bool { return !used[spec] })
}

// text is the file with nothing but these declarations.
func (f *splitFile) text(shared []span, content []byte) []byte {
	var b strings.Builder
	b.WriteString("package " + f.clause.Name.Name + "\n")
	var decls []ast.Decl
	for _, at := range shared {
		decls = append(decls, at.decl)
	}
	for _, spec := range f.importsOf(decls) {
		b.WriteString("import ")
		if spec.Name != nil {
			b.WriteString(spec.Name.Name + " ")
		}
		b.WriteString(spec.Path.Value + "\n")
	}
	for _, at := range shared {
		end := at.end
		if end < 0 {
			end = len(content)
		}
		b.Write(content[at.start:end])
		b.WriteByte('\n')
	}
	return []byte(b.String())
}
