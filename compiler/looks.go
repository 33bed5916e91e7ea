package compiler

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// looks are all that a compile saw of the disk: files, folders, and what it
// found missing. The same looks give the same outcome; times are not looked at.
type looks struct {
	mu   sync.Mutex
	seen map[look]string
	// changed says that something was seen twice and differed: no later
	// compile can see the same.
	changed bool
}

// look is one question to the disk.
type look struct {
	kind lookKind
	// path is absolute.
	path string
}

type lookKind byte

const (
	// readFileLook asks for a file's content.
	readFileLook lookKind = 'f'
	// readDirLook asks for a folder's names and what each is.
	readDirLook lookKind = 'd'
	// statLook asks what there is.
	statLook lookKind = 's'

	lookKinds = "fds"
)

func newLooks() *looks { return &looks{seen: map[look]string{}} }

func (l *looks) note(kind lookKind, path, found string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := look{kind, path}
	if before, again := l.seen[at]; again && before != found {
		l.changed = true
	}
	l.seen[at] = found
}

// paths are all that was looked at, named.
func (l *looks) paths(named func(string) string) (names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := range l.seen {
		names = append(names, named(at.path))
	}
	return names
}

// absent is what a look gives where there is nothing. Contents are told by
// sums, which are longer.
const absent = "absent"

func failed(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return absent
	}
	return "error"
}

func fileFound(b []byte, err error) string {
	if err != nil {
		return failed(err)
	}
	sum := sha256.Sum256(b)
	return string(sum[:])
}

func dirFound(entries []fs.DirEntry, err error) string {
	if err != nil {
		return failed(err)
	}
	h := sha256.New()
	var line []byte
	for _, e := range entries {
		line = append(line[:0], e.Name()...)
		t := e.Type()
		line = append(line, 0, byte(t>>24), byte(t>>16), byte(t>>8), byte(t), '\n')
		h.Write(line)
	}
	return string(h.Sum(nil))
}

func statFound(info fs.FileInfo, err error) string {
	switch {
	case err != nil:
		return failed(err)
	case info.Mode().IsRegular():
		return fmt.Sprintf("file of %d bytes", info.Size())
	}
	return info.Mode().Type().String()
}

// again looks anew.
func (at look) again() string {
	switch at.kind {
	case readFileLook:
		return fileFound(readFile(at.path))
	case readDirLook:
		return dirFound(os.ReadDir(at.path))
	case statLook:
		return statFound(os.Stat(at.path))
	}
	panic("BUG: a look of no kind: " + string([]byte{byte(at.kind)}))
}

// sighting is a look and what it found.
type sighting struct {
	look
	found string
}

// stillTrue looks at everything anew, side by side, and gives up at the first
// difference.
func stillTrue(all []sighting) bool {
	var next atomic.Int64
	var differs atomic.Bool
	const batch = 64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 1+len(all)/batch) {
		workers.Go(func() {
			for !differs.Load() {
				end := int(next.Add(batch))
				if end-batch >= len(all) {
					return
				}
				for _, s := range all[end-batch : min(end, len(all))] {
					if s.again() != s.found {
						differs.Store(true)
						return
					}
				}
			}
		})
	}
	workers.Wait()
	return !differs.Load()
}

// lookForModule notes where a module was looked for: one that appears nearer
// to the folder changes what everything means.
func (l *looks) lookForModule(dir, root string) {
	for at := dir; ; at = filepath.Dir(at) {
		name := filepath.Join(at, filepath.FromSlash(moduleFile))
		info, err := os.Stat(name)
		l.note(statLook, name, statFound(info, err))
		if at == root || at == filepath.Dir(at) {
			return
		}
	}
}

// list reads a folder of the disk; cue are its files that CUE might take.
func (t *tree) list(dir string) (cue []string) {
	entries, err := os.ReadDir(t.disk(dir))
	t.looks.note(readDirLook, t.disk(dir), dirFound(entries, err))
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".cue") {
			cue = append(cue, e.Name())
		}
	}
	return cue
}
