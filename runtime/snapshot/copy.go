package snapshot

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Every entry is opened by its name alone, in a folder that is open already,
// and never through a symlink: whatever is changed in the tree while it is
// copied, nothing from outside of it gets into the copy. os.Root promises the
// same, but walks each path anew from the root, which took most of the time.

// dir is a folder of the tree and its copy, both open.
type dir struct {
	path     string // from the root, with slashes; "." is the root
	from, to *os.File
}

// openTop opens the root and its copy.
func openTop(source, target string) (*dir, error) {
	from, err := os.OpenFile(source, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	to, err := os.OpenFile(target, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		from.Close()
		return nil, err
	}
	return &dir{path: ".", from: from, to: to}, nil
}

func (d *dir) close() {
	d.from.Close()
	d.to.Close()
}

// openAt opens an entry of a folder. A signal may break off an open that waits.
func openAt(in *os.File, name string, flags int, mode uint32) (*os.File, error) {
	for {
		fd, err := unix.Openat(int(in.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		if err == nil {
			return os.NewFile(uintptr(fd), filepath.Join(in.Name(), name)), nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, err
		}
	}
}

// copier copies one tree. A worker copies a folder at a time: two that make
// files in the same folder only wait for each other.
type copier struct {
	filter  Filter
	avoid   []os.FileInfo
	group   *errgroup.Group
	scratch *sync.Pool
	// hashes says that the copy's content is asked for.
	hashes bool
	// told is told how far a long copy is; nil: nobody wants to know.
	told func(bytes, total int64)
	// links says that files are linked, not copied, and only, if it is not nil,
	// which entries are copied.
	links bool
	only  map[string]bool
	// noClone says that the file system of the copy makes no reflinks.
	noClone atomic.Bool
	// bytes are copied so far.
	bytes atomic.Int64

	mu      sync.Mutex
	entries []entry
}

// copy copies what is in source to target.
func (c *copier) copy(ctx context.Context, source, target string) error {
	top, err := openTop(source, target)
	if err != nil {
		return err
	}
	c.scratch = newScratch()
	if err := c.avoidDirs(target, c.filter.Avoid); err != nil {
		top.close()
		return err
	}
	if c.told != nil {
		defer c.watch(source)()
	}
	var each context.Context
	c.group, each = errgroup.WithContext(ctx)
	c.group.SetLimit(max(2, runtime.NumCPU()))
	c.group.Go(func() error { return c.walk(each, top) })
	err = c.group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// walk copies what is in the folder, and closes it.
func (c *copier) walk(ctx context.Context, d *dir) error {
	defer d.close()
	list, err := d.from.ReadDir(-1)
	if err != nil {
		return failed(d.path, err)
	}
	entries := make([]entry, 0, len(list))
	for _, item := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name := item.Name()
		if c.filter.leavesOut(name, d.path == ".") {
			continue
		}
		e := entry{path: path.Join(d.path, name)}
		if c.only != nil && !c.only[e.path] {
			continue
		}
		switch kind := item.Type(); {
		case kind.IsDir():
			err = c.descend(ctx, d, name, &e)
		case kind&fs.ModeSymlink != 0:
			err = copyLink(d, name, &e)
		case kind.IsRegular():
			err = c.copyFile(ctx, d, name, &e)
		}
		if err != nil {
			return failed(e.path, err)
		}
		if e.kind != 0 {
			entries = append(entries, e)
		}
	}
	c.mu.Lock()
	c.entries = append(c.entries, entries...)
	c.mu.Unlock()
	return finishDir(d)
}

// finishDir gives the copy of a folder its mode, whatever the umask, and its
// time, which making what is in it changed.
func finishDir(d *dir) error {
	info, err := d.from.Stat()
	if err == nil {
		err = d.to.Chmod(0o755)
	}
	if err == nil {
		err = setTime(d.to, ".", info)
	}
	if err != nil {
		return failed(d.path, err)
	}
	return nil
}

// descend makes a folder in the copy and has a free worker copy what is in it,
// or does so itself.
func (c *copier) descend(ctx context.Context, d *dir, name string, e *entry) error {
	from, err := openAt(d.from, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	avoid, err := c.avoids(from)
	if err != nil || avoid {
		from.Close()
		return err
	}
	if err := unix.Mkdirat(int(d.to.Fd()), name, 0o700); err != nil {
		from.Close()
		return err
	}
	to, err := openAt(d.to, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		from.Close()
		return err
	}
	e.kind = 'd'
	below := &dir{path: e.path, from: from, to: to}
	if !c.group.TryGo(func() error { return c.walk(ctx, below) }) {
		return c.walk(ctx, below)
	}
	return nil
}

func (c *copier) avoids(folder *os.File) (bool, error) {
	info, err := folder.Stat()
	if err != nil {
		return false, err
	}
	for _, a := range c.avoid {
		if os.SameFile(a, info) {
			return true, nil
		}
	}
	return false, nil
}

func copyLink(d *dir, name string, e *entry) error {
	for size := 256; ; size *= 4 {
		b := make([]byte, size)
		n, err := unix.Readlinkat(int(d.from.Fd()), name, b)
		if errors.Is(err, unix.EINVAL) { // not a link any more
			return errChanged
		}
		if err != nil {
			return err
		}
		if n < size {
			e.kind, e.digest = 'l', sha256.Sum256(b[:n])
			return unix.Symlinkat(string(b[:n]), int(d.to.Fd()), name)
		}
	}
}

// kindOf is x of a file that may be executed, f of another one. Something else
// that took the place of a file is [errChanged].
func kindOf(f *os.File) (byte, fs.FileInfo, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return 0, nil, err
	case !info.Mode().IsRegular():
		return 0, nil, errChanged
	case info.Mode()&0o111 != 0:
		return 'x', info, nil
	}
	return 'f', info, nil
}

// copyFile copies one file and takes its digest from the copy's own bytes, so
// that a file which changes under way can't have another file's digest.
func (c *copier) copyFile(ctx context.Context, d *dir, name string, e *entry) error {
	// Not blocked by a pipe that took the file's place.
	in, err := openAt(d.from, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	kind, info, err := kindOf(in)
	if err != nil {
		return err
	}
	if c.links && unix.Linkat(int(d.from.Fd()), name, int(d.to.Fd()), name, 0) == nil {
		e.kind = kind
		return nil
	}
	mode := fs.FileMode(0o644)
	if kind == 'x' {
		mode = 0o755
	}
	out, err := openAt(d.to, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, uint32(mode))
	if err != nil {
		return err
	}
	defer out.Close()
	e.kind = kind
	if err := c.copyBytes(ctx, in, out, e); err != nil {
		return err
	}
	if err := out.Chmod(mode); err != nil { // whatever the umask
		return err
	}
	return setTime(d.to, name, info)
}

// scratch is what a worker needs to copy a file.
type scratch struct {
	buffer []byte
	hash   hash.Hash
}

func newScratch() *sync.Pool {
	return &sync.Pool{New: func() any { return &scratch{make([]byte, 128<<10), sha256.New()} }}
}

func (c *copier) copyBytes(ctx context.Context, in, out *os.File, e *entry) error {
	s := c.scratch.Get().(*scratch)
	defer c.scratch.Put(s)
	s.hash.Reset()
	cloned := c.clone(in, out)
	if cloned && !c.hashes {
		return nil
	}
	if cloned {
		in = out
	}
	for ctx.Err() == nil {
		n, err := in.Read(s.buffer)
		if c.hashes {
			s.hash.Write(s.buffer[:n])
		}
		e.bytes += int64(n)
		c.bytes.Add(int64(n))
		if !cloned && n > 0 {
			if _, err := out.Write(s.buffer[:n]); err != nil {
				return err
			}
		}
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

// clone makes out share in's blocks, and says whether it could.
func (c *copier) clone(in, out *os.File) bool {
	if c.noClone.Load() {
		return false
	}
	err := unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOTTY) {
		c.noClone.Store(true)
	}
	return err == nil
}

// setTime gives an entry of a folder of the copy the time of the original.
func setTime(in *os.File, name string, info os.FileInfo) error {
	t, err := unix.TimeToTimespec(info.ModTime())
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(int(in.Fd()), name, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW)
}

// errChanged means that an entry is not any more what the listing said.
var errChanged = errors.New("it was changed while the tree was copied; try again")

// pathError is an error that names its entry.
type pathError struct {
	path string
	err  error
}

func (e *pathError) Error() string { return "copy " + e.path + ": " + e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

// failed names the entry, once, and says plainly where the tree was changed.
func failed(path string, err error) error {
	var named *pathError
	switch {
	case errors.As(err, &named):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ELOOP),
		errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENXIO):
		err = fmt.Errorf("%w (%w)", errChanged, err)
	}
	return &pathError{path, err}
}
