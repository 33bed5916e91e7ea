package compiler

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/errors"

	"github.com/sledtools/pikaci/schema"
)

// source is a folder of lane files, read but not evaluated.
type source struct {
	tree *tree
	// dir is the folder's name in the tree.
	dir string
	// shown is the folder as the user named it.
	shown  string
	module moduleInfo
	// schemaDirs are the folders of the tree where CUE looks for the schema;
	// the first is where the embedded one is laid.
	schemaDirs []string
}

// openSource finds the folder and refuses a schema on disk that is not the
// embedded one: the overlay would hide the difference here, and stock cue and
// the editor would still see it. It also gives, with an error, a folder that it
// found.
func openSource(dir string) (*source, error) {
	s, files, err := findSource(dir)
	if err != nil {
		return s, err
	}
	if found := s.foreignSchema(files); len(found) > 0 {
		return s, found
	}
	s.tree.layOver(s.schemaDirs[0], files)
	return s, nil
}

// findSource finds the folder's module and the embedded schema's files; no
// schema is laid over the tree yet.
func findSource(dir string) (*source, map[string][]byte, error) {
	refuse := func(message, hint string) (*source, map[string][]byte, error) {
		return nil, nil, Diagnostics{{Position: Position{File: dir}, Message: message, Hint: hint}}
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return refuse("no such folder", "name the folder of the lane files with --lanes DIR")
	case err != nil:
		return refuse("can't read the folder of the lane files: "+bare(err), "")
	case !info.IsDir():
		return refuse("not a folder", "name the folder of the lane files, not a file, with --lanes DIR")
	}
	names, err := fs.Glob(os.DirFS(dir), "*.cue")
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		return refuse("no lane files (*.cue) in the folder", "name the folder of the lane files with --lanes DIR")
	}
	s := &source{shown: dir}
	if s.tree, s.dir, err = openTree(dir); err != nil {
		return nil, nil, err
	}
	if s.module, err = readModule(s.tree); err != nil {
		return s, nil, s.tree.adviseSyntax(fromCUE(&places{tree: s.tree}, s.shown, errors.Errors(err)))
	}
	s.schemaDirs = s.findSchemaDirs()
	files, err := schemaFiles()
	return s, files, err
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

func (s *source) findSchemaDirs() []string {
	if s.module.name == ownModule {
		return []string{strings.TrimPrefix(schema.ImportPath, ownModule+"/")}
	}
	return []string{
		path.Join("cue.mod/pkg", schema.ImportPath),
		path.Join("cue.mod/gen", schema.ImportPath),
		path.Join("cue.mod/usr", schema.ImportPath),
	}
}

func (s *source) foreignSchema(files map[string][]byte) Diagnostics {
	var out Diagnostics
	bad := func(dir, name, message string) {
		hint := "vendor the schema of this version of pikaci, or use the version that fits it"
		if dir != s.schemaDirs[0] {
			hint = "remove it: CUE would add it to the schema that is vendored in " + s.schemaDirs[0]
		}
		out = append(out, Diagnostic{
			Position: Position{File: s.tree.display(path.Join(dir, name))},
			Message:  message,
			Hint:     hint,
		})
	}
	for i, dir := range s.schemaDirs {
		names := s.tree.list(dir)
		for _, name := range names {
			b, err := readFile(s.tree.disk(path.Join(dir, name)))
			s.tree.looks.note(readFileLook, s.tree.disk(path.Join(dir, name)), fileFound(b, err))
			switch want, ok := files[name]; {
			case err != nil:
				bad(dir, name, "can't read the schema on disk: "+bare(err))
			case i > 0:
				bad(dir, name, "the file adds to the schema, whose one place is "+s.schemaDirs[0])
			case !ok:
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
	return sorted(out)
}

// load reads the package and what it imports.
func (s *source) load() (*build.Instance, error) {
	files, err := s.parse()
	if err != nil {
		return nil, err
	}
	return s.complete(files)
}

// parse reads the package's files.
func (s *source) parse() ([]*ast.File, error) {
	files, errs := s.packages().parsePackage(s.dir)
	if len(errs) > 0 {
		return nil, s.tree.adviseSyntax(fromCUE(&places{tree: s.tree}, s.shown, errs))
	}
	return files, nil
}

// complete reads what the package imports.
func (s *source) complete(files []*ast.File) (*build.Instance, error) {
	inst, errs := s.packages().load(s.dir, files)
	if len(errs) > 0 {
		return nil, s.tree.adviseSyntax(fromCUE(&places{tree: s.tree}, s.shown, errs))
	}
	s.tree.loaded = true
	if found := s.strayedSchema(inst); len(found) > 0 {
		return nil, found
	}
	return inst, nil
}

func (s *source) packages() *packages { return newPackages(s.tree, s.module, s.schemaDirs[0]) }

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
