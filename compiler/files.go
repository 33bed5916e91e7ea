package compiler

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sledtools/pikaci/schema"
	"github.com/sledtools/pikaci/schema/plan"
)

// moduleFile marks the root of a CUE module.
const moduleFile = "cue.mod/module.cue"

// ownModule is the module whose own schema folder is the schema.
const ownModule = "github.com/sledtools/pikaci"

// tree is the file system that CUE sees: a CUE module on disk with the
// embedded schema laid over it. It records what was read, so that the plan's
// sources are exactly the inputs, @embed files too. Names are relative to the
// module's root, with slashes, so nothing of the machine leaks into a plan.
type tree struct {
	// root is the module's root on disk, absolute.
	root string
	// cwd is what shown paths are relative to; empty if it is gone.
	cwd string
	// over are files that hide those on disk.
	over map[string][]byte
	// laid are folders of which nothing on disk is seen.
	laid map[string]bool
	// read are the files that came from disk and count as sources; mu guards
	// it, the loader reads from several goroutines.
	mu   sync.Mutex
	read map[string][]byte
	// looks are what was seen of the disk.
	looks *looks
	// loaded says that the package was loaded, and is being evaluated.
	loaded bool
}

// openTree finds the module that dir lies in. A folder without a module gets
// one of its own in memory: all that lane files import is the schema, and that
// is embedded.
func openTree(dir string) (t *tree, rel string, err error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", err
	}
	cwd, _ := os.Getwd()
	t = &tree{root: abs, cwd: cwd, over: map[string][]byte{}, laid: map[string]bool{}, read: map[string][]byte{}, looks: newLooks()}
	root, ok := ModuleRoot(abs)
	if ok {
		t.root = root
	} else {
		t.over[moduleFile] = []byte("module: \"lanes.local\"\nlanguage: version: \"v0.17.0\"\n")
		root = "" // all folders above were looked into
	}
	t.looks.lookForModule(abs, root)
	rel, err = filepath.Rel(t.root, abs)
	return t, filepath.ToSlash(rel), err
}

// nowhere is the tree of a folder that is none.
func nowhere() *tree {
	cwd, _ := os.Getwd()
	return &tree{cwd: cwd}
}

// ModuleRoot is the root of the CUE module that an absolute folder lies in,
// which a plan's sources are relative to; false where there is none: then they
// are relative to the folder itself.
func ModuleRoot(dir string) (string, bool) {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, filepath.FromSlash(moduleFile))); err == nil {
			return at, true
		}
		if at == filepath.Dir(at) {
			return "", false
		}
	}
}

// layOver puts the schema's files at a folder of the tree, in place of what is
// there.
func (t *tree) layOver(dir string, files map[string][]byte) {
	t.laid[dir] = true
	for name, content := range files {
		t.over[path.Join(dir, name)] = content
	}
}

// schemaFiles are the embedded schema, by file name.
func schemaFiles() (map[string][]byte, error) {
	entries, err := schema.Files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte, len(entries))
	for _, e := range entries {
		if files[e.Name()], err = schema.Files.ReadFile(e.Name()); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// sources are the files that were read from disk and the schema.
func (t *tree) sources() ([]plan.Source, error) {
	var out []plan.Source
	add := func(name string, content []byte) {
		sum := sha256.Sum256(content)
		out = append(out, plan.Source{Path: name, SHA256: hex.EncodeToString(sum[:])})
	}
	for name, content := range t.read {
		if sum := t.looks.seen[look{readFileLook, t.disk(name)}]; len(sum) == sha256.Size {
			// It was hashed when it was read.
			out = append(out, plan.Source{Path: name, SHA256: hex.EncodeToString([]byte(sum))})
			continue
		}
		add(name, content)
	}
	files, err := schemaFiles()
	if err != nil {
		return nil, err
	}
	for name, content := range files {
		add(plan.EmbeddedPrefix+"schema/"+name, content)
	}
	slices.SortFunc(out, func(a, b plan.Source) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// display is a file of the tree as a user names it: relative to the working
// directory where that is shorter.
func (t *tree) display(name string) string { return t.named(t.disk(name)) }

// named is an absolute path as a user names it.
func (t *tree) named(abs string) string {
	rel, err := filepath.Rel(t.cwd, abs)
	if err != nil || t.cwd == "" || len(rel) > len(abs) {
		return abs
	}
	return rel
}

func (t *tree) disk(name string) string { return filepath.Join(t.root, filepath.FromSlash(name)) }

// Open implements [fs.FS].
func (t *tree) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if b, ok := t.over[name]; ok {
		return newFile(name, b), nil
	}
	b, err := t.readDisk(name)
	switch {
	case errors.Is(err, syscall.EISDIR):
		t.list(name)
		return os.Open(t.disk(name))
	case err != nil:
		return nil, err
	}
	return newFile(name, b), nil
}

// readDisk reads each file once, though the loader opens it three times: a
// file that changes meanwhile can't be half of one plan and half of another.
func (t *tree) readDisk(name string) ([]byte, error) {
	t.mu.Lock()
	b, ok := t.read[name]
	t.mu.Unlock()
	if ok {
		return b, nil
	}
	b, err := readFile(t.disk(name))
	found := fileFound(b, err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if first, ok := t.read[name]; ok {
		return first, nil
	}
	t.looks.note(readFileLook, t.disk(name), found)
	if err != nil {
		return nil, err
	}
	// Before the package is loaded the loader also opens what is not CUE, to
	// see what it is; from then on, files that are read are embedded ones.
	if t.loaded || strings.HasSuffix(name, ".cue") {
		t.read[name] = b
	}
	return b, nil
}

// content is a file that was read before.
func (t *tree) content(name string) []byte {
	b, _ := t.readDisk(name)
	return b
}

// ReadFile implements [fs.ReadFileFS].
func (t *tree) ReadFile(name string) ([]byte, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Stat implements [fs.StatFS].
func (t *tree) Stat(name string) (fs.FileInfo, error) {
	if b, ok := t.over[name]; ok {
		return info{path.Base(name), int64(len(b)), false}, nil
	}
	if t.overDir(name) {
		return info{path.Base(name), 0, true}, nil
	}
	info, err := os.Stat(t.disk(name))
	t.looks.note(statLook, t.disk(name), statFound(info, err))
	return info, err
}

// ReadDir implements [fs.ReadDirFS].
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	if !t.laid[name] {
		var err error
		entries, err = os.ReadDir(t.disk(name))
		t.looks.note(readDirLook, t.disk(name), dirFound(entries, err))
		if err != nil && !t.overDir(name) {
			return nil, err
		}
	}
	have := map[string]int{}
	for i, e := range entries {
		have[e.Name()] = i
	}
	for file, b := range t.over {
		rest, below := strings.CutPrefix(file, name+"/")
		if name == "." {
			rest, below = file, true
		}
		if !below {
			continue
		}
		first, _, isDir := strings.Cut(rest, "/")
		e := fs.FileInfoToDirEntry(info{first, int64(len(b)), isDir})
		if i, there := have[first]; there {
			entries[i] = e
		} else {
			have[first] = len(entries)
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func (t *tree) overDir(name string) bool {
	for file := range t.over {
		if strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

// file is one of the tree's, in memory.
type file struct {
	info
	*bytes.Reader
}

func newFile(name string, b []byte) *file {
	return &file{info{path.Base(name), int64(len(b)), false}, bytes.NewReader(b)}
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }
func (f *file) Size() int64                { return f.info.Size() }

// info is the [fs.FileInfo] of a file or folder in memory.
type info struct {
	name string
	size int64
	dir  bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) IsDir() bool        { return i.dir }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) Sys() any           { return nil }
func (i info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}
