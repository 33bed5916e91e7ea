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
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Filter says what is left out of a copy.
type Filter struct {
	// Exclude are names at the root, beside the fixed ones.
	Exclude []string
	// Avoid is a directory that is left out wherever it lies, absolute: the
	// state root, if it is in the tree.
	Avoid string
}

// Names that are left out at any depth, and those below the root only: at the
// root a folder named build may be a source.
var (
	anywhere  = []string{".git", ".pikaci", ".direnv", "target"}
	belowRoot = []string{"node_modules", ".gradle", "DerivedData", "build"}
)

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
// devices are left out. Everything in the copy can be read by everyone: a
// guest sees it as another user's.
func Take(ctx context.Context, source, target string, f Filter) (Result, error) {
	from, err := os.OpenRoot(source)
	if err != nil {
		return Result{}, err
	}
	defer from.Close()
	if err := os.Mkdir(target, 0o755); err != nil {
		return Result{}, err
	}
	to, err := os.OpenRoot(target)
	if err != nil {
		return Result{}, err
	}
	defer to.Close()
	c := copier{from: from, to: to, source: source, filter: f}
	if err := c.walk("."); err != nil {
		return Result{}, err
	}
	if err := c.copyFiles(ctx); err != nil {
		return Result{}, err
	}
	// Folders last: making what is in them changed their times.
	for _, e := range slices.Backward(c.entries) {
		if e.kind == 'd' {
			to.Chtimes(e.path, e.modified, e.modified)
		}
	}
	return c.result(), nil
}

// entry is one thing of the tree. Its path has slashes.
type entry struct {
	path     string
	kind     byte // d folder, f file, x executable file, l symlink
	modified time.Time
	digest   [sha256.Size]byte
	bytes    int64
}

type copier struct {
	from, to *os.Root
	source   string
	filter   Filter
	entries  []entry
}

// walk lists the tree, makes its folders and symlinks, and leaves the files to
// copyFiles.
func (c *copier) walk(dir string) error {
	d, err := c.from.Open(filepath.FromSlash(dir))
	if err != nil {
		return err
	}
	list, err := d.ReadDir(-1)
	d.Close()
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, item := range list {
		p := path.Join(dir, item.Name())
		if c.leaveOut(p) {
			continue
		}
		if err := c.add(p, item); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) add(p string, item fs.DirEntry) error {
	info, err := item.Info()
	if err != nil {
		return err
	}
	e := entry{path: p, modified: info.ModTime()}
	switch {
	case info.IsDir():
		e.kind = 'd'
		c.entries = append(c.entries, e)
		if err := c.to.Mkdir(p, 0o755); err != nil {
			return err
		}
		return c.walk(p)
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := c.from.Readlink(p)
		if err != nil {
			return err
		}
		e.kind, e.digest = 'l', sha256.Sum256([]byte(link))
		c.entries = append(c.entries, e)
		return c.to.Symlink(link, p)
	case info.Mode().IsRegular():
		e.kind = 'f'
		if info.Mode()&0o111 != 0 {
			e.kind = 'x'
		}
		c.entries = append(c.entries, e)
	}
	return nil
}

func (c *copier) leaveOut(p string) bool {
	name := path.Base(p)
	root := !strings.Contains(p, "/")
	return slices.Contains(anywhere, name) ||
		!root && slices.Contains(belowRoot, name) ||
		root && slices.Contains(c.filter.Exclude, name) ||
		c.filter.Avoid != "" && filepath.Join(c.source, filepath.FromSlash(p)) == c.filter.Avoid
}

func (c *copier) copyFiles(ctx context.Context) error {
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(max(2, runtime.NumCPU()))
	for i := range c.entries {
		e := &c.entries[i]
		if e.kind != 'f' && e.kind != 'x' {
			continue
		}
		if each.Err() != nil {
			break
		}
		g.Go(func() error { return c.copyFile(e) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// copyFile copies one file and takes its digest from the copy's own bytes, so
// that a file which changes under way can't have another file's digest.
func (c *copier) copyFile(e *entry) error {
	in, err := c.from.OpenFile(e.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	mode := fs.FileMode(0o644)
	if e.kind == 'x' {
		mode = 0o755
	}
	out, err := c.to.OpenFile(e.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer out.Close()
	h := sha256.New()
	var from io.Reader = in
	var to io.Writer = io.MultiWriter(out, h)
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) == nil {
		from, to = out, h
	}
	if e.bytes, err = io.Copy(to, from); err != nil {
		return fmt.Errorf("copy %s: %w", e.path, err)
	}
	h.Sum(e.digest[:0])
	if err := out.Chmod(mode); err != nil { // whatever the umask
		return err
	}
	return c.to.Chtimes(e.path, e.modified, e.modified)
}

func (c *copier) result() Result {
	r := Result{}
	h := sha256.New()
	slices.SortFunc(c.entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	for _, e := range c.entries {
		fmt.Fprintf(h, "%c %s\x00%x\n", e.kind, e.path, e.digest)
		if e.kind == 'f' || e.kind == 'x' {
			r.Files++
			r.Bytes += e.bytes
		}
	}
	r.ContentHash = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return r
}
