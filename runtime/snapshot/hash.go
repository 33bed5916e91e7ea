package snapshot

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Hash describes the copy that Take would make, without making one. Nothing
// keeps the tree from changing afterwards: it tells whether a tree is one that is
// known already, not what a copy will hold.
func Hash(ctx context.Context, source string, f Filter) (Result, error) {
	t, err := Read(ctx, source, f)
	if err != nil {
		return Result{}, err
	}
	return t.Result(), nil
}

// Read is Hash, for those who ask for parts of the tree.
func Read(ctx context.Context, source string, f Filter) (*Tree, error) {
	source, err := filepath.EvalSymlinks(source)
	if err != nil {
		return nil, err
	}
	c := copier{filter: f, scratch: newScratch()}
	if err := c.avoidDirs(f.Avoid); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(source, func(name string, item fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case name == source:
			return nil
		}
		return c.look(ctx, source, name, item)
	})
	if err != nil {
		return nil, err
	}
	return newTree(c.entries), nil
}

// look adds one entry, as walk does while it copies.
func (c *copier) look(ctx context.Context, source, name string, item fs.DirEntry) error {
	skip := error(nil)
	if item.IsDir() {
		skip = fs.SkipDir
	}
	if c.filter.leavesOut(item.Name(), filepath.Dir(name) == source) {
		return skip
	}
	rel, err := filepath.Rel(source, name)
	if err != nil {
		return err
	}
	e := entry{path: filepath.ToSlash(rel)}
	switch kind := item.Type(); {
	case kind.IsDir():
		info, err := item.Info()
		if err != nil {
			return err
		}
		for _, a := range c.avoid {
			if os.SameFile(a, info) {
				return skip
			}
		}
		e.kind = 'd'
	case kind&fs.ModeSymlink != 0:
		to, err := os.Readlink(name)
		if err != nil {
			return err
		}
		e.kind, e.digest = 'l', sha256.Sum256([]byte(to))
	case kind.IsRegular():
		if err := c.readFile(ctx, name, &e); err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
	default:
		return nil
	}
	c.entries = append(c.entries, e)
	return nil
}

// readFile takes the digest of one file.
func (c *copier) readFile(ctx context.Context, name string, e *entry) error {
	// Not blocked by a pipe that took the file's place.
	in, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	if e.kind, _, err = kindOf(in); err != nil {
		return err
	}
	s := c.scratch.Get().(*scratch)
	defer c.scratch.Put(s)
	s.hash.Reset()
	for ctx.Err() == nil {
		n, err := in.Read(s.buffer)
		s.hash.Write(s.buffer[:n])
		e.bytes += int64(n)
		if err == io.EOF {
			s.hash.Sum(e.digest[:0])
			return nil
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}
