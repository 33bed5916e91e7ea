package main

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/sledtools/pikaci/runtime/guest"
)

// sender sends artifacts as a tar. The host holds what comes to the same
// limits; they are kept here so that a sparse file of a terabyte is not sent
// only to be refused.
type sender struct {
	tar     *tar.Writer
	root    *os.Root
	wanted  guest.Wanted
	notSent int
}

// sendArtifacts sends the files under the artifacts folder that are wanted.
// Nothing is followed: of a symlink the host only hears that it is there.
func sendArtifacts(out frames, wanted guest.Wanted) error {
	root, err := os.OpenRoot(artifactsDir)
	if err != nil {
		return nil // a job may remove it
	}
	defer root.Close()
	f := &frameWriter{out: out}
	s := &sender{tar: tar.NewWriter(f), root: root, wanted: wanted}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir() || !s.wants(name):
			return nil // a folder that can't be read has nothing to send
		case !d.Type().IsRegular():
			return s.tell(name, guest.NotRegular)
		}
		return s.send(name)
	})
	if err != nil {
		return err
	}
	if err := s.tar.Close(); err != nil {
		return err
	}
	return f.flush()
}

func (s *sender) wants(name string) bool {
	for _, glob := range s.wanted.Globs {
		if ok, _ := doublestar.Match(glob, name); ok {
			return true
		}
	}
	return false
}

// tell tells of a file that is not sent.
func (s *sender) tell(name string, why byte) error {
	if s.notSent++; s.notSent > guest.MaxNotSent {
		return nil
	}
	return s.tar.WriteHeader(&tar.Header{Name: strings.ToValidUTF8(name, "?"), Typeflag: why, Linkname: "-"})
}

func (s *sender) send(name string) error {
	f, err := s.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return s.tell(name, guest.Unreadable)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil || strings.ToValidUTF8(name, "?") != name:
		return s.tell(name, guest.Unreadable)
	case !info.Mode().IsRegular():
		return s.tell(name, guest.NotRegular)
	case info.Size() > s.wanted.Bytes || s.wanted.Files == 0:
		return s.tell(name, guest.TooMuch)
	}
	s.wanted.Bytes -= info.Size()
	s.wanted.Files--
	if err := s.tar.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: info.Size(), Mode: 0o644}); err != nil {
		return err
	}
	n, err := io.Copy(s.tar, io.LimitReader(f, info.Size()))
	if err != nil {
		return err
	}
	// A file that shrank under way is filled up: the header said its size.
	_, err = io.CopyN(s.tar, zeros{}, info.Size()-n)
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// frameWriter makes frames of a tar.
type frameWriter struct {
	out frames
	buf []byte
}

func (f *frameWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(len(p), guest.MaxPayload-len(f.buf))
		f.buf = append(f.buf, p[:n]...)
		p = p[n:]
		if len(f.buf) == guest.MaxPayload {
			if err := f.flush(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

func (f *frameWriter) flush() error {
	if len(f.buf) == 0 {
		return nil
	}
	err := f.out.send(guest.Artifacts, f.buf)
	f.buf = f.buf[:0]
	return err
}
