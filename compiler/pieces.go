package compiler

import (
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// This file cuts lane files into the pieces that search evaluates.

// piece is a lane, or another field at the top of a file.
type piece struct {
	file  string
	index int
	// child is the index of the lane in the struct of lanes, or -1.
	child int
	// name is what others refer to it by; empty for what is embedded in the
	// package, which is unified with all else that is.
	name string
	told Diagnostic
	// needs are the names of other pieces that it refers to.
	needs []string
	// plain data is not what takes long.
	plain bool
}

// pieces parses the files of the folder, and tells of each as it is read.
func (s *source) pieces(f *search) ([]piece, bool) {
	entries, err := s.tree.ReadDir(s.dir)
	if err != nil {
		return nil, false
	}
	var out []piece
	for _, e := range entries {
		name := e.Name()
		if s.dir != "." {
			name = s.dir + "/" + name
		}
		if !strings.HasSuffix(name, ".cue") {
			continue
		}
		if !f.next(Diagnostic{Position: Position{File: s.tree.display(name)}, Message: "reading the file"}) {
			return nil, false
		}
		if file := s.parseAgain(name); file != nil {
			out = append(out, s.piecesOf(name, file)...)
		}
	}
	return out, true
}

func (s *source) parseAgain(name string) *ast.File {
	content, err := s.tree.ReadFile(name)
	if err != nil {
		return nil
	}
	f, err := parser.ParseFile(name, content)
	if err != nil || overLimits(f, content) != nil {
		return nil
	}
	return f
}

// piecesOf are the pieces of one file.
func (s *source) piecesOf(file string, f *ast.File) []piece {
	p := &places{tree: s.tree}
	var out []piece
	for i, d := range f.Decls {
		name, told := p.pieceOf(d)
		field, _ := d.(*ast.Field)
		if name == "lanes" && field != nil {
			if lanes, split := field.Value.(*ast.StructLit); split {
				for n, e := range lanes.Elts {
					id, lane := p.pieceOf(e)
					if field, ok := e.(*ast.Field); ok && id != "" {
						lane = Diagnostic{Position: p.position(field.Label.Pos()), Path: joinPath([]string{"lanes", id}), Message: "evaluating lane " + id}
					}
					out = append(out, piece{file: file, index: i, child: n, name: "lanes", needs: identifiers(e), told: lane, plain: plain(e)})
				}
				continue
			}
		}
		needs := identifiers(d)
		if name == "" {
			needs = append(needs, "")
		}
		if told.Message != "" {
			out = append(out, piece{file: file, index: i, child: -1, name: name, needs: needs, told: told, plain: plain(d)})
		}
	}
	return out
}

// pieceOf is the name that others refer to a declaration by, if any, and what
// is said of it.
func (p *places) pieceOf(d ast.Decl) (name string, told Diagnostic) {
	told.Position = p.position(d.Pos())
	switch d := d.(type) {
	case *ast.Field:
		label, _, err := ast.LabelName(d.Label)
		if err != nil {
			told.Message = "evaluating the fields"
			break
		}
		name, told.Path, told.Message = label, label, "evaluating field "+label
		told.Position = p.position(d.Label.Pos())
	case *ast.LetClause:
		name, told.Message = d.Ident.Name, "evaluating let "+d.Ident.Name
	case *ast.Comprehension:
		told.Message = "evaluating the comprehension"
	case *ast.EmbedDecl:
		told.Message = "evaluating what is embedded"
	}
	return name, told
}

// plain reports whether a declaration is made of literals alone.
func plain(n ast.Node) bool {
	yes := true
	ast.Walk(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			_, _, err := ast.LabelName(n.Label)
			yes = yes && err == nil && len(n.Attrs) == 0 && plain(n.Value)
			return false
		case *ast.StructLit, *ast.ListLit, *ast.BasicLit, *ast.CommentGroup, *ast.Comment:
		default:
			yes = false
		}
		return yes
	}, nil)
	return yes
}

// identifiers are the names that an expression uses.
func identifiers(x ast.Node) []string {
	seen := map[string]bool{}
	ast.Walk(x, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			seen[id.Name] = true
		}
		return true
	}, nil)
	return slices.Sorted(maps.Keys(seen))
}

// evaluatePieces evaluates pieces alone. They are parsed anew: the evaluator
// leaves its marks in the syntax.
func (s *source) evaluatePieces(group []*piece) {
	byFile := map[string][]*piece{}
	for _, p := range group {
		if p.file != "" {
			byFile[p.file] = append(byFile[p.file], p)
		}
	}
	var files []*ast.File
	for name, pieces := range byFile {
		if f := s.parseAgain(name); f != nil {
			keepPieces(f, pieces)
			astutil.Resolve(f, func(token.Pos, string, ...any) {})
			files = append(files, f)
		}
	}
	p := s.packages()
	inst := p.instance(s.dir, "./"+s.dir)
	if errs := p.complete(inst, files); len(errs) == 0 {
		// What it finds is not asked for: that it ends is.
		_ = newContext().BuildInstance(inst).Validate()
	}
}

// keepPieces leaves of a file its package, the pieces, and the imports that
// they use: one that is not used would be an error.
func keepPieces(f *ast.File, pieces []*piece) {
	var imports, kept []ast.Decl
	var used []string
	for i, d := range f.Decls {
		var children []ast.Decl
		whole := false
		for _, p := range pieces {
			switch {
			case p.index != i:
			case p.child < 0:
				whole = true
			default:
				children = append(children, d.(*ast.Field).Value.(*ast.StructLit).Elts[p.child])
			}
		}
		if len(children) > 0 {
			d.(*ast.Field).Value.(*ast.StructLit).Elts = children
		}
		switch d.(type) {
		case *ast.Package, *ast.ImportDecl:
			imports = append(imports, d)
		default:
			if whole || len(children) > 0 {
				kept = append(kept, d)
				used = append(used, identifiers(d)...)
			}
		}
	}
	for _, d := range imports {
		if d, ok := d.(*ast.ImportDecl); ok {
			d.Specs = slices.DeleteFunc(d.Specs, func(spec *ast.ImportSpec) bool { return !slices.Contains(used, localName(spec)) })
		}
	}
	f.Decls = append(imports, kept...)
}

// localName is what a file calls a package that it imports.
func localName(spec *ast.ImportSpec) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	return ast.ParseImportPath(unquoted(spec.Path)).Qualifier
}
