// Package snapshot makes the filtered copy of a source tree that a run works
// on, and its content hash.
//
// It copies by reflink where the file system can, else byte by byte; never by
// hard links to the source, which an editor could change under a running job.
// It knows no plan and no run.
package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// Filter says what is left out of a copy.
type Filter struct {
	// Exclude are names at the root, beside the fixed ones.
	Exclude []string
	// Avoid is a directory that is left out wherever it lies: the state
	// root, if it is in the tree. It need not be there.
	Avoid string
}

// Names that are left out at any depth, and those below the root only: at the
// root a folder named build may be a source.
var (
	anywhere  = []string{".git", ".pikaci", ".direnv", "target"}
	belowRoot = []string{"node_modules", ".gradle", "DerivedData", "build"}
)

// leavesOut says whether an entry of that name is left out, by its name alone.
func (f *Filter) leavesOut(name string, root bool) bool {
	return slices.Contains(anywhere, name) ||
		!root && slices.Contains(belowRoot, name) ||
		root && slices.Contains(f.Exclude, name)
}

// Result describes a copy.
type Result struct {
	// ContentHash is "sha256:" and the hex digest over paths, kinds,
	// executable bits and contents: equal trees have equal ones.
	ContentHash string
	Files       int
	Bytes       int64
}

// Take copies the tree at source to target, which must not exist, and returns
// what was copied. Symlinks are made again, never followed; sockets, pipes and
// devices are left out, and so is target itself where it lies in the tree.
// Everything in the copy can be read by everyone: a guest sees it as another
// user's. After an error, what was copied so far is left where it is.
func Take(ctx context.Context, source, target string, f Filter) (Result, error) {
	t, err := TakeTree(ctx, source, target, f, nil)
	if err != nil {
		return Result{}, err
	}
	return t.Result(), nil
}

// TakeTree is Take, for those who ask for parts of the copy. Of a long one it
// tells from time to time how many bytes are copied, and how many there are; 0 as
// long as that is not known.
func TakeTree(ctx context.Context, source, target string, f Filter, told func(bytes, total int64)) (*Tree, error) {
	if err := os.Mkdir(target, 0o755); err != nil {
		return nil, err
	}
	c := copier{filter: f, hashes: true, told: told}
	if err := c.copy(ctx, source, target); err != nil {
		return nil, err
	}
	return newTree(c.entries), nil
}

// Fill copies all of a snapshot to target, which is an empty folder, as Take
// does. Nobody asks what it copied: nothing is read that need not be.
func Fill(ctx context.Context, source, target string) error {
	var c copier
	return c.copy(ctx, source, target)
}

// avoidDirs keeps the identities of directories that are left out: a path could
// be spelled in many ways.
func (c *copier) avoidDirs(paths ...string) error {
	for _, p := range paths {
		if p == "" {
			continue
		}
		info, err := os.Stat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		c.avoid = append(c.avoid, info)
	}
	return nil
}

// entry is one thing of the tree. Its path has slashes.
type entry struct {
	path   string
	kind   byte // d folder, f file, x executable file, l symlink
	digest [sha256.Size]byte
	bytes  int64
}

// result is of entries that are sorted by path.
func result(entries []entry) Result {
	r := Result{}
	h := sha256.New()
	for _, e := range entries {
		fmt.Fprintf(h, "%c %s\x00%x\n", e.kind, e.path, e.digest)
		if e.kind == 'f' || e.kind == 'x' {
			r.Files++
			r.Bytes += e.bytes
		}
	}
	r.ContentHash = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return r
}
