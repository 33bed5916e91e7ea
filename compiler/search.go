package compiler

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// enough is how long a piece must have been evaluated to be the one that is
// named.
const enough = 100 * time.Millisecond

// search finds out which piece of the lane files takes so long. The evaluator
// does not tell what it is at, so each piece is evaluated by itself, and that
// which does not end, or took longest, is it.
type search struct {
	mu      sync.Mutex
	stopped bool
	// current is at work since then; longest took most of those that ended.
	current, longest Diagnostic
	since            time.Time
	took             time.Duration
}

func newSearch() *search { return new(search) }

// run searches until it is stopped or has tried every piece.
func (f *search) run(search func(*search)) {
	// What makes the evaluator panic here makes it panic there.
	defer func() { _ = recover() }()
	if search != nil {
		search(f)
	}
	f.next(Diagnostic{})
}

// next says which piece is tried from now on; false: give up.
func (f *search) next(d Diagnostic) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if took := time.Since(f.since); f.current.Message != "" && took > f.took {
		f.longest, f.took = f.current, took
	}
	f.current, f.since = d, time.Now()
	return !f.stopped
}

func (f *search) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
}

// over is the error of a spent budget, at the piece that spent it if it is
// known.
func (f *search) over(dir, what, hint string) error {
	f.next(Diagnostic{})
	f.mu.Lock()
	defer f.mu.Unlock()
	d := Diagnostic{Position: Position{File: dir}, Message: "evaluating the lane files"}
	if f.took >= enough {
		d = f.longest
	}
	d.Message += what
	d.Hint = hint
	return Diagnostics{d}
}

// piece is a lane, or another field at the top of a file.
type piece struct {
	file  string
	index int
	// child is the index of the lane in the struct of lanes, or -1.
	child int
	// name is what others refer to it by.
	name string
	told Diagnostic
	// needs are the names of other pieces that it refers to.
	needs []string
}

// pieceByPiece evaluates every piece of the lane files with what it refers to,
// those that need least first.
func (s *source) pieceByPiece(f *search) {
	// A tree of its own: the evaluation goes on beside it.
	t, rel, err := openTree(s.tree.disk(s.dir))
	if err != nil {
		return
	}
	files, err := schemaFiles()
	if err != nil {
		return
	}
	t.layOver(s.schemaDirs[0], files)
	own := &source{tree: t, dir: rel, shown: s.shown, module: s.module, schemaDirs: s.schemaDirs}
	pieces, ok := own.pieces(f)
	if !ok {
		return
	}
	byName := map[string][]*piece{}
	for i := range pieces {
		byName[pieces[i].name] = append(byName[pieces[i].name], &pieces[i])
	}
	groups := make([][]*piece, len(pieces))
	for i := range pieces {
		groups[i] = withNeeds(&pieces[i], byName)
	}
	slices.SortStableFunc(groups, func(a, b []*piece) int { return cmp.Compare(len(a), len(b)) })
	for _, group := range groups {
		if !f.next(group[0].told) {
			return
		}
		own.evaluatePieces(group)
	}
}

// withNeeds is a piece and all that it refers to, directly or not.
func withNeeds(first *piece, byName map[string][]*piece) []*piece {
	out := []*piece{first}
	seen := map[string]bool{}
	for i := 0; i < len(out); i++ {
		for _, name := range out[i].needs {
			if seen[name] {
				continue
			}
			seen[name] = true
			for _, other := range byName[name] {
				if !slices.Contains(out, other) {
					out = append(out, other)
				}
			}
		}
	}
	return out
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
	if err != nil {
		return nil
	}
	return f
}

func (s *source) piecesOf(name string, f *ast.File) []piece {
	p := &places{tree: s.tree}
	var out []piece
	for i, d := range f.Decls {
		field, ok := d.(*ast.Field)
		if !ok {
			continue
		}
		label, _, err := ast.LabelName(field.Label)
		if err != nil {
			continue
		}
		lanes, split := field.Value.(*ast.StructLit)
		if label != "lanes" || !split {
			out = append(out, piece{file: name, index: i, child: -1, name: label, needs: identifiers(field.Value),
				told: Diagnostic{Position: p.position(field.Label.Pos()), Path: label, Message: "evaluating field " + label}})
			continue
		}
		for n, e := range lanes.Elts {
			lane, ok := e.(*ast.Field)
			if !ok {
				continue
			}
			id, _, err := ast.LabelName(lane.Label)
			if err != nil {
				continue
			}
			out = append(out, piece{file: name, index: i, child: n, name: "lanes", needs: identifiers(lane.Value),
				told: Diagnostic{Position: p.position(lane.Label.Pos()), Path: joinPath([]string{"lanes", id}), Message: "evaluating lane " + id}})
		}
	}
	return out
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
		byFile[p.file] = append(byFile[p.file], p)
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
		switch d := d.(type) {
		case *ast.Package, *ast.ImportDecl:
			imports = append(imports, d)
		case *ast.Field:
			var children []ast.Decl
			whole := false
			for _, p := range pieces {
				switch {
				case p.index != i:
				case p.child < 0:
					whole = true
				default:
					children = append(children, d.Value.(*ast.StructLit).Elts[p.child])
				}
			}
			if len(children) > 0 {
				d.Value.(*ast.StructLit).Elts = children
			}
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
