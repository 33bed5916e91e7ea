package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// Refreshed says what Refresh did.
type Refreshed struct {
	// Kept entries were as in the snapshot already; Written and Removed ones
	// were not.
	Kept, Written, Removed int
}

// Refresh makes the folder at target hold what the snapshot at source holds. A
// file of equal content keeps its time, so that build tools see it as unchanged;
// one that is written gets the present time, so that they see it as changed,
// whatever its time in the snapshot. Before are the paths that an earlier
// snapshot put there: what the new one lacks of them is removed. Other things in
// target stay: they are what builds made. No link in target is followed.
func Refresh(ctx context.Context, source, target string, before []string) (Refreshed, error) {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return Refreshed{}, err
	}
	from, err := os.OpenRoot(source)
	if err != nil {
		return Refreshed{}, err
	}
	defer from.Close()
	to, err := os.OpenRoot(target)
	if err != nil {
		return Refreshed{}, err
	}
	defer to.Close()
	r := refresher{from: from, to: to, scratch: make([]byte, 128<<10)}
	now, err := Paths(source)
	if err != nil {
		return Refreshed{}, err
	}
	// First what goes: a file may take the place of a folder.
	for _, name := range slices.Backward(slices.Sorted(slices.Values(before))) {
		if _, stays := slices.BinarySearch(now, name); stays || !filepath.IsLocal(name) {
			continue
		}
		if err := r.remove(name); err != nil {
			return r.did, failed(name, err)
		}
	}
	for _, name := range now {
		if ctx.Err() != nil {
			return r.did, context.Cause(ctx)
		}
		if err := r.entry(name); err != nil {
			return r.did, failed(name, err)
		}
	}
	return r.did, nil
}

// Paths are all entries below a folder, sorted, with slashes.
func Paths(folder string) ([]string, error) {
	var list []string
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && name != "." {
			list = append(list, name)
		}
		return err
	})
	slices.Sort(list)
	return list, err
}

type refresher struct {
	from, to *os.Root
	scratch  []byte
	did      Refreshed
}

// remove takes away what an earlier snapshot put there; a folder only if nothing
// else is in it.
func (r *refresher) remove(name string) error {
	info, err := r.to.Lstat(name)
	if err != nil {
		return nil // a folder on the way may be a link now, or no folder
	}
	err = r.to.Remove(name)
	if err != nil && info.IsDir() {
		return nil
	}
	r.did.Removed++
	return err
}

func (r *refresher) entry(name string) error {
	info, err := r.from.Lstat(name)
	if err != nil {
		return err
	}
	there, err := r.to.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		there = nil
	} else if err != nil {
		return err
	}
	same := there != nil && there.Mode().Type() == info.Mode().Type()
	if there != nil && !same {
		if err := r.to.RemoveAll(name); err != nil {
			return err
		}
	}
	switch kind := info.Mode().Type(); kind {
	case fs.ModeDir:
		return r.folder(name, there, same)
	case fs.ModeSymlink:
		return r.link(name, same)
	case 0:
		return r.file(name, info, there, same)
	}
	return nil
}

func (r *refresher) folder(name string, there fs.FileInfo, same bool) error {
	if !same {
		r.did.Written++
		return r.to.Mkdir(name, 0o755)
	}
	r.did.Kept++
	if there.Mode().Perm()&0o700 != 0o700 {
		return r.to.Chmod(name, 0o755)
	}
	return nil
}

func (r *refresher) link(name string, same bool) error {
	want, err := r.from.Readlink(name)
	if err != nil {
		return err
	}
	if same {
		if has, err := r.to.Readlink(name); err == nil && has == want {
			r.did.Kept++
			return nil
		}
		if err := r.to.Remove(name); err != nil {
			return err
		}
	}
	r.did.Written++
	return r.to.Symlink(want, name)
}

func (r *refresher) file(name string, info, there fs.FileInfo, same bool) error {
	if same && there.Size() == info.Size() {
		equal, err := r.equal(name)
		if err != nil {
			return err
		}
		if equal {
			r.did.Kept++
			if there.Mode().Perm() != info.Mode().Perm() {
				return r.to.Chmod(name, info.Mode().Perm())
			}
			return nil
		}
	}
	r.did.Written++
	return r.write(name, info)
}

// equal compares contents by their hashes.
func (r *refresher) equal(name string) (bool, error) {
	want, err := r.hash(r.from, name)
	if err != nil {
		return false, err
	}
	has, err := r.hash(r.to, name)
	if errors.Is(err, fs.ErrPermission) {
		return false, nil // the job took its own right to read it: it is written anew
	}
	return bytes.Equal(want, has), err
}

func (r *refresher) hash(in *os.Root, name string) ([]byte, error) {
	f, err := in.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.CopyBuffer(h, io.NewSectionReader(f, 0, 1<<62), r.scratch)
	return h.Sum(nil), err
}

// write makes the file anew beside the old one and puts it in its place: a hard
// link that the job made elsewhere keeps what it had.
func (r *refresher) write(name string, info fs.FileInfo) error {
	in, err := r.from.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	beside := path.Join(path.Dir(name), fmt.Sprintf(".pikaci-new-%d", os.Getpid()))
	r.to.Remove(beside) // of one that was killed
	out, err := r.to.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, r.scratch)
	err = errors.Join(err, out.Chmod(info.Mode().Perm()), out.Close())
	if err == nil {
		now := time.Now()
		err = errors.Join(r.to.Chtimes(beside, now, now), r.to.Rename(beside, name))
	}
	if err != nil {
		r.to.Remove(beside)
	}
	return err
}
