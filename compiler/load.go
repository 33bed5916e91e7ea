package compiler

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/load"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/mod/modfile"
	"cuelang.org/go/mod/module"

	"github.com/sledtools/pikaci/schema"
)

// source is a folder of lane files, read but not evaluated.
type source struct {
	tree *tree
	// dir is the folder's name in the tree.
	dir string
	// shown is the folder as the user named it.
	shown string
	// schemaDirs are the folders of the tree where CUE looks for the schema;
	// the first is where the embedded one is laid.
	schemaDirs []string
}

// openSource finds the folder and refuses a schema on disk that is not the
// embedded one: the overlay would hide the difference here, and stock cue and
// the editor would still see it.
func openSource(dir string) (*source, error) {
	refuse := func(message, hint string) error {
		return Diagnostics{{Position: Position{File: dir}, Message: message, Hint: hint}}
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, refuse("no such folder", "name the folder of the lane files with --lanes DIR")
	case err != nil:
		return nil, refuse("can't read the folder of the lane files: "+bare(err), "")
	case !info.IsDir():
		return nil, refuse("not a folder", "name the folder of the lane files, not a file, with --lanes DIR")
	}
	names, err := filepath.Glob(filepath.Join(globQuote(dir), "*.cue"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, refuse("no lane files (*.cue) in the folder", "name the folder of the lane files with --lanes DIR")
	}
	s := &source{shown: dir}
	if s.tree, s.dir, err = openTree(dir); err != nil {
		return nil, err
	}
	s.schemaDirs = s.findSchemaDirs()
	files, err := schemaFiles()
	if err != nil {
		return nil, err
	}
	if found := s.foreignSchema(files); len(found) > 0 {
		return nil, found
	}
	s.tree.layOver(s.schemaDirs[0], files)
	return s, nil
}

// bare is an error of the file system without the operation and path, which
// the message around it says.
func bare(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func (s *source) findSchemaDirs() []string {
	if s.moduleName() == ownModule {
		return []string{strings.TrimPrefix(schema.ImportPath, ownModule+"/")}
	}
	return []string{
		path.Join("cue.mod/pkg", schema.ImportPath),
		path.Join("cue.mod/gen", schema.ImportPath),
		path.Join("cue.mod/usr", schema.ImportPath),
	}
}

// moduleName reads the one field that matters here; the rest of the module
// file, and its mistakes, are the loader's.
func (s *source) moduleName() string {
	b, err := s.tree.ReadFile(moduleFile)
	if err != nil {
		return ""
	}
	f, err := parser.ParseFile(moduleFile, b)
	if err != nil {
		return ""
	}
	for _, at := range readPlaces(s.tree, []*ast.File{f}).fields["module"] {
		if lit, ok := at.value.(*ast.BasicLit); ok {
			name, _ := literal.Unquote(lit.Value)
			name, _, _ = strings.Cut(name, "@")
			return name
		}
	}
	return ""
}

func (s *source) foreignSchema(files map[string][]byte) Diagnostics {
	var out Diagnostics
	bad := func(dir, name, message string) {
		out = append(out, Diagnostic{
			Position: Position{File: s.tree.display(path.Join(dir, name))},
			Message:  message,
			Hint:     "this pikaci brings its own schema: write it there with pikaci schema, or use the pikaci that fits",
		})
	}
	for i, dir := range s.schemaDirs {
		found, _ := filepath.Glob(filepath.Join(globQuote(s.tree.disk(dir)), "*.cue"))
		var names []string
		for _, f := range found {
			names = append(names, filepath.Base(f))
		}
		for _, name := range names {
			b, err := os.ReadFile(s.tree.disk(path.Join(dir, name)))
			switch want, ok := files[name]; {
			case err != nil:
				bad(dir, name, "can't read the schema on disk: "+bare(err))
			case !ok || i > 0:
				bad(dir, name, "the schema on disk has a file that the embedded schema lacks")
			case !bytes.Equal(b, want):
				bad(dir, name, "the schema on disk differs from the embedded one")
			}
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if i == 0 && len(names) > 0 && !slices.Contains(names, name) {
				bad(dir, name, "the schema on disk lacks a file of the embedded one")
			}
		}
	}
	return out
}

// load reads the package and what it imports.
func (s *source) load() (*build.Instance, error) {
	inst := load.Instances([]string{"."}, &load.Config{
		Dir:      "/" + s.dir,
		FS:       s.tree,
		Registry: noRegistry{},
		Env:      []string{},
		// Positions then name files as the tree does.
		FromFSPath: func(p string) string { return strings.TrimPrefix(p, "/") },
	})[0]
	s.tree.loaded = true
	if inst.Err == nil && inst.Incomplete {
		for _, dep := range inst.Imports {
			inst.Err = errors.Append(inst.Err, dep.Err)
		}
	}
	if inst.Err != nil {
		return nil, s.loadErrors(inst)
	}
	if found := s.strayedSchema(inst); len(found) > 0 {
		return nil, found
	}
	return inst, nil
}

// loadErrors are the mistakes of a package that can't be read. The loader
// stops at the first file that is not CUE, so the files are parsed once more.
func (s *source) loadErrors(inst *build.Instance) Diagnostics {
	var found []errors.Error
	names, _ := filepath.Glob(filepath.Join(globQuote(s.tree.disk(s.dir)), "*.cue"))
	for _, disk := range names {
		name := path.Join(s.dir, filepath.Base(disk))
		b, err := os.ReadFile(disk)
		if err != nil {
			continue
		}
		if _, err := parser.ParseFile(name, b, parser.AllErrors); err != nil {
			found = append(found, errors.Errors(err)...)
		}
	}
	if len(found) == 0 {
		found = errors.Errors(inst.Err)
	}
	return fromCUE(&places{tree: s.tree}, s.shown, found)
}

// strayedSchema looks for files that CUE counts to the schema's package and
// that are not embedded, like one of the same package in a parent folder.
func (s *source) strayedSchema(inst *build.Instance) Diagnostics {
	var out Diagnostics
	for _, dep := range inst.Dependencies() {
		if ast.ParseImportPath(dep.ImportPath).Path != schema.ImportPath {
			continue
		}
		for _, f := range dep.Files {
			if s.tree.over[f.Filename] == nil {
				out = append(out, Diagnostic{
					Position: Position{File: s.tree.display(f.Filename)},
					Message:  "the file adds to the schema's package, and the embedded schema lacks it",
					Hint:     "give it another package name, or move it",
				})
			}
		}
	}
	return out
}

// noRegistry refuses every module: a plan is a function of what lies on disk.
type noRegistry struct{}

func (noRegistry) refuse(what string) error {
	return fmt.Errorf("%s is not in this module, and pikaci asks no registry: vendor it in cue.mod/pkg", what)
}

func (r noRegistry) ModFile(_ context.Context, mv module.Version) (*modfile.File, error) {
	return nil, r.refuse(mv.String())
}

func (r noRegistry) Fetch(_ context.Context, mv module.Version) (module.SourceLoc, error) {
	return module.SourceLoc{}, r.refuse(mv.String())
}

func (noRegistry) ModuleVersions(context.Context, string) ([]string, error) { return nil, nil }
