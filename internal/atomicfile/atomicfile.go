// Package atomicfile replaces files whole or not at all: a reader sees the old
// content or the new one, whoever else writes, and whenever the writer is
// killed.
package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Write replaces the file at path by b. It does not wait for the disk: after a
// loss of power the file may be empty or the old one.
func Write(path string, b []byte, mode fs.FileMode) error {
	return replace(path, mode, false, bytesOf(b))
}

// Stream is Write for what is too long to be held in memory: write gives it.
func Stream(path string, mode fs.FileMode, write func(io.Writer) error) error {
	return replace(path, mode, false, write)
}

// WriteSynced replaces the file at path by b, and has it on disk when it
// returns, its name included.
func WriteSynced(path string, b []byte, mode fs.FileMode) error {
	if err := replace(path, mode, true, bytesOf(b)); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

func bytesOf(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}

func replace(path string, mode fs.FileMode, sync bool, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return named(err, path)
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return named(err, path)
	}
	return nil
}

// named has an error name the file that is meant: of the temporary name nobody
// knows.
func named(err error, path string) error {
	if p := new(fs.PathError); errors.As(err, &p) {
		p.Path = path
	}
	return err
}

// SyncDir puts the names in a folder on disk.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) { // a file system that has no such thing
		err = nil
	}
	return errors.Join(err, d.Close())
}
