package compiler

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"github.com/sledtools/pikaci/schema"
)

// packages reads CUE packages of one module the way that cue/load does, and
// nothing that pikaci has no use for: no registry, no tags, no data files. It
// exists because cue/load can't read vendored packages from an fs.FS (which is
// what records the sources), and compiles a schema of module files at each
// start. A test holds the two against each other.
type packages struct {
	tree   *tree
	module moduleInfo
	// schemaDir is where the embedded schema lies in the tree.
	schemaDir string
	// config carries the module's language version.
	config  parser.Config
	context *build.Context
	loading map[string]bool
}

func newPackages(t *tree, m moduleInfo, schemaDir string) *packages {
	p := &packages{tree: t, module: m, schemaDir: schemaDir, loading: map[string]bool{}}
	p.config = parser.NewConfig(parser.Version(m.language))
	p.context = build.NewContext(build.Loader(p.imported))
	return p
}

// load gives the package of a folder, whose files were parsed, with all that it
// imports.
func (p *packages) load(dir string, files []*ast.File) (*build.Instance, []errors.Error) {
	inst := p.instance(dir, "./"+dir)
	return inst, p.complete(inst, files)
}

// parsePackage parses the files of a folder's package.
func (p *packages) parsePackage(dir string) ([]*ast.File, []errors.Error) {
	files, errs := p.parseDir(dir)
	if errs = append(errs, p.folders(dir)...); len(errs) > 0 {
		return nil, errs
	}
	name := ""
	for _, f := range files {
		switch pkg := f.PackageName(); {
		case pkg == "" || pkg == "_":
			errs = append(errs, errors.Newf(f.Pos(), "the file has no package clause, and would be left out: its first line is like package lanes"))
		case name == "":
			name = pkg
		case pkg != name:
			errs = append(errs, errors.Newf(f.Pos(), "the file is of package %s, those before it of package %s: a folder of lanes is one package", pkg, name))
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	above, errs := p.parents(dir, name)
	if len(errs) > 0 {
		return nil, errs
	}
	return append(above, files...), nil
}

// folders are those that are named like lane files: CUE passes them over, and
// whoever made one meant a file.
func (p *packages) folders(dir string) []errors.Error {
	entries, err := p.tree.ReadDir(dir)
	if err != nil {
		return nil
	}
	var out []errors.Error
	for _, e := range entries {
		if e.IsDir() && isSource(e.Name()) {
			out = append(out, p.tree.unreadable(path.Join(dir, e.Name()), syscall.EISDIR))
		}
	}
	return out
}

// isSource reports whether a file of that name is part of a package.
func isSource(name string) bool {
	return strings.HasSuffix(name, ".cue") && name[0] != '.' && name[0] != '_' &&
		!strings.HasSuffix(name, "_test.cue") && !strings.HasSuffix(name, "_tool.cue")
}

func (p *packages) instance(dir, shown string) *build.Instance {
	inst := p.context.NewInstance(dir, p.imported)
	inst.Dir, inst.Root, inst.Module, inst.DisplayPath = dir, ".", p.module.name, shown
	return inst
}

// complete gives an instance its files, which are of one package, and what they
// import.
func (p *packages) complete(inst *build.Instance, files []*ast.File) []errors.Error {
	for _, f := range files {
		// Not AddSyntax: it resolves the file a second time.
		inst.PkgName = f.PackageName()
		inst.Files = append(inst.Files, f)
	}
	if err := inst.Complete(); err != nil {
		return errors.Errors(err)
	}
	if inst.Err != nil {
		return errors.Errors(inst.Err)
	}
	return nil
}

// parents are files of the same package in the folders above, up to the
// module's root: they count to a package of CUE.
func (p *packages) parents(dir, pkg string) ([]*ast.File, []errors.Error) {
	var out []*ast.File
	var errs []errors.Error
	for dir != "." {
		dir = path.Dir(dir)
		files, bad := p.parseDir(dir)
		for _, f := range files {
			if f.PackageName() == pkg {
				out = append(out, f)
			}
		}
		errs = append(errs, bad...)
	}
	return out, errs
}

// imported gives a package by its import path; nil stands for one of CUE's
// own.
func (p *packages) imported(pos token.Pos, importPath string) *build.Instance {
	at := ast.ParseImportPath(importPath)
	first, _, _ := strings.Cut(at.Path, "/")
	if first != "" && !strings.Contains(first, ".") && at.Path != p.module.name && !strings.HasPrefix(at.Path, p.module.name+"/") {
		return nil
	}
	dirs := p.dirsOf(at.Path)
	inst := p.instance(dirs[0], importPath)
	fail := func(errs ...errors.Error) *build.Instance {
		for _, err := range errs {
			inst.Err = errors.Append(inst.Err, err)
		}
		return inst
	}
	if !canonical(at.Path) {
		// As a path of the disk it could lead out of the module.
		return fail(errors.Newf(pos, "no package is named %s: an import path has no empty parts, and none that is . or ..", importPath))
	}
	if p.loading[at.Path] {
		return fail(errors.Newf(pos, "package %s imports itself, directly or not", at.Path))
	}
	p.loading[at.Path] = true
	defer delete(p.loading, at.Path)

	var files []*ast.File
	for _, dir := range dirs {
		found, errs := p.parseDir(dir)
		if whole := new(fileError); len(errs) > 0 && errors.As(errs[0], &whole) && whole.name == dir {
			return fail(errors.Newf(pos, "package %s: its folder can't be read: %s", importPath, whole.cause))
		}
		if len(errs) > 0 {
			return fail(errs...)
		}
		files = append(files, found...)
		if !strings.HasPrefix(dir, "cue.mod/") {
			above, errs := p.parents(dir, at.Qualifier)
			if len(errs) > 0 {
				return fail(errs...)
			}
			files = append(above, files...)
		}
	}
	files = slices.DeleteFunc(files, func(f *ast.File) bool { return f.PackageName() != at.Qualifier })
	if len(files) == 0 {
		return fail(errors.Newf(pos, "no package %s: pikaci asks no registry, vendor it in cue.mod/pkg", importPath))
	}
	return fail(p.complete(inst, files)...)
}

// canonical reports whether an import path names a folder below a module's.
func canonical(importPath string) bool {
	for part := range strings.SplitSeq(strings.TrimPrefix(importPath, "./"), "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// dirsOf are the folders of the tree in which an import path lies.
func (p *packages) dirsOf(importPath string) []string {
	if importPath == schema.ImportPath {
		return []string{p.schemaDir}
	}
	if rest, ok := strings.CutPrefix(importPath, p.module.name); ok && (rest == "" || rest[0] == '/') {
		return []string{path.Join(".", rest)}
	}
	return []string{path.Join("cue.mod/gen", importPath), path.Join("cue.mod/pkg", importPath), path.Join("cue.mod/usr", importPath)}
}

// parseDir parses the folder's CUE files, side by side; errors are those of
// all files. A folder that is not there has none.
func (p *packages) parseDir(dir string) ([]*ast.File, []errors.Error) {
	entries, err := p.tree.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, []errors.Error{p.tree.unreadable(dir, err)}
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && isSource(e.Name()) {
			names = append(names, path.Join(dir, e.Name()))
		}
	}
	files, errs := make([]*ast.File, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { files[i], errs[i] = p.parse(name) })
	}
	wg.Wait()
	var all []errors.Error
	for _, err := range errs {
		if err != nil {
			// What follows in the same file comes of the first as a rule.
			all = append(all, errors.Errors(err)[0])
		}
	}
	return slices.DeleteFunc(files, func(f *ast.File) bool { return f == nil }), all
}

// parse reads and parses a file.
func (p *packages) parse(name string) (*ast.File, error) {
	content, err := p.tree.ReadFile(name)
	if err != nil {
		return nil, p.tree.unreadable(name, err)
	}
	return p.parseContent(name, content)
}

// parseContent gives nil for a file that says @ignore().
func (p *packages) parseContent(name string, content []byte) (*ast.File, error) {
	if err := notUTF8(name, content); err != nil {
		return nil, err
	}
	f, err := parseSafely(name, content, p.config)
	if err != nil {
		return nil, err
	}
	if err := overLimits(f, content); err != nil {
		return nil, err
	}
	embeds := false
	for _, d := range f.Preamble() {
		a, ok := d.(*ast.Attribute)
		if !ok {
			continue
		}
		switch key, _ := a.Split(); key {
		case "extern":
			embeds = true
		case "ignore":
			return nil, nil
		case "if":
			return nil, errors.Newf(a.Pos(), "@if has no meaning here: pikaci compiles without tags, so that a plan depends on nothing else")
		}
	}
	if at := embedOf(f, content); at.IsValid() && !embeds {
		return nil, errors.Newf(at, "@embed is passed over: it takes @extern(embed) above the package clause")
	}
	if at := f.Pos().File(); at != nil {
		// What @embed reads is read, and recorded, through the tree.
		at.SetFSLoc(token.FSLoc{FS: p.tree, Path: name})
	}
	return f, nil
}

// parseSafely turns a panic of the parser into an error: files are parsed by
// goroutines of their own, which nothing else recovers from.
func parseSafely(name string, content []byte, options ...parser.Option) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, &fileError{name: name, why: fmt.Sprintf("CUE's parser fails on the file: %v", r),
				hint: "a mistake of CUE's own: write what changed last another way"}
		}
	}()
	return parser.ParseFile(name, content, options...)
}
