// Package dirlock locks folders that processes share and one of them may remove:
// who has a folder's lock has the folder that is there, not one that was removed
// meanwhile. The lock is the kernel's, on the file "lock" in the folder: it ends
// with the process that has it, however that ends.
package dirlock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrBusy means that somebody else has the folder.
var ErrBusy = errors.New("somebody else has it")

// Lock is a folder that this process has.
type Lock struct {
	// File is the locked file. What is written to it is for others to read.
	File *os.File
	dir  string
}

// Take makes the folder if it is not there and locks it, for this process alone
// or with others who share it; it is [ErrBusy] where somebody else has it, and
// File can be read then until it is closed.
func Take(dir string, shared bool) (*Lock, error) {
	for {
		// It may be removed at any moment until it is locked.
		if err := os.MkdirAll(dir, 0o755); err != nil && !cameAndWent(err) {
			return nil, err
		}
		l, err := take(dir, os.O_RDWR|os.O_CREATE, shared)
		if !errors.Is(err, fs.ErrNotExist) {
			return l, err
		}
	}
}

// cameAndWent tells whether a folder could not be made because somebody else made
// it, and it was not there to be seen because somebody removed it.
func cameAndWent(err error) bool {
	var made *fs.PathError
	if !errors.As(err, &made) || !errors.Is(err, fs.ErrExist) {
		return false
	}
	info, none := os.Lstat(made.Path)
	return errors.Is(none, fs.ErrNotExist) || none == nil && info.IsDir()
}

// TakeUnused locks a folder that is there and was not used since a time.
func TakeUnused(dir string, since time.Time) (*Lock, error) {
	last, err := LastUsed(dir)
	if err != nil {
		return nil, err
	}
	_, none := os.Stat(filepath.Join(dir, "lock"))
	l, err := take(dir, os.O_RDWR|os.O_CREATE, false)
	if err != nil {
		if errors.Is(err, ErrBusy) {
			l.Release()
		}
		return nil, err
	}
	// Who had it between the two may want it again.
	again, err := LastUsed(dir)
	if err != nil || last.After(since) || none == nil && !again.Equal(last) {
		l.Release()
		return nil, errors.Join(err, ErrBusy)
	}
	return l, nil
}

func take(dir string, flags int, shared bool) (*Lock, error) {
	name := filepath.Join(dir, "lock")
	f, err := os.OpenFile(name, flags, 0o644)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	for {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	l := &Lock{File: f, dir: dir}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return l, ErrBusy
	}
	if err == nil {
		err = l.same(name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// same is fs.ErrNotExist where the folder that was locked was removed.
func (l *Lock) same(name string) error {
	mine, err := l.File.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(name)
	if err == nil && !os.SameFile(mine, there) {
		err = fs.ErrNotExist
	}
	return err
}

// Touch says that the folder is used now.
func (l *Lock) Touch() error {
	now := time.Now()
	return os.Chtimes(l.File.Name(), now, now)
}

// LastUsed is when that was said of a folder last, or when it was made.
func LastUsed(dir string) (time.Time, error) {
	info, err := os.Stat(filepath.Join(dir, "lock"))
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(dir)
	}
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// Release gives the folder to whoever takes it next.
func (l *Lock) Release() error { return l.File.Close() }

// RemovedPrefix begins the names of folders that are being removed.
const RemovedPrefix = ".removed-"

// Remove removes the folder. Who takes it meanwhile gets a new one.
func (l *Lock) Remove() error {
	defer l.Release()
	aside, err := os.MkdirTemp(filepath.Dir(l.dir), RemovedPrefix)
	if err == nil {
		err = os.Rename(l.dir, filepath.Join(aside, "it"))
	}
	return errors.Join(err, removeAll(aside))
}

// RemoveHalves removes what was left of folders whose removal was cut short.
func RemoveHalves(parent string) error {
	halves, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range halves {
		if strings.HasPrefix(e.Name(), RemovedPrefix) {
			err = errors.Join(err, removeAll(filepath.Join(parent, e.Name())))
		}
	}
	return err
}

// removeAll removes folders too that who made them may not write to.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
