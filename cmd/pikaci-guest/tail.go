package main

import (
	"io"
	"os"
	"syscall"

	"github.com/sledtools/pikaci/runtime/guest"
)

// tail is a file that grows.
type tail struct {
	file *os.File
	kind guest.Kind
	// at is up to where it was sent.
	at int64
}

func openTail(name string, k guest.Kind, offset int64) (*tail, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	return &tail{file: f, kind: k, at: offset}, nil
}

// send sends what is there, at most one frame, and tells how much it was.
func (t *tail) send(out frames) (int, error) {
	info, err := t.file.Stat()
	if err != nil {
		return 0, err
	}
	n := int(min(info.Size()-t.at, guest.MaxPayload))
	if n <= 0 {
		return 0, nil
	}
	var header [guest.HeaderSize]byte
	guest.PutHeader(header[:], t.kind, n)
	if err := out.write(header[:]); err != nil {
		return 0, err
	}
	return n, t.move(out, int64(n))
}

// move sends n bytes. The kernel moves the pages of a file to a pipe uncopied,
// which halves the cost of much output; elsewhere they are copied.
func (t *tail) move(out frames, n int64) error {
	for n > 0 {
		moved, err := syscall.Splice(int(t.file.Fd()), &t.at, int(out.w.Fd()), nil, int(n), 0)
		switch {
		case err == syscall.EINTR:
		case err != nil || moved == 0:
			return t.copy(out, n)
		}
		n -= max(moved, 0)
	}
	return nil
}

// copy sends n bytes, and zeros for those that are no more there: the frame's
// header said its length.
func (t *tail) copy(out frames, n int64) error {
	b := make([]byte, n)
	if _, err := t.file.ReadAt(b, t.at); err != nil && err != io.EOF {
		return err
	}
	t.at += n
	return out.write(b)
}

// widen lets a pipe hold as much as a few frames: fewer turns between its ends.
func widen(pipe *os.File) {
	const setPipeSize = 1031 // F_SETPIPE_SZ
	syscall.Syscall(syscall.SYS_FCNTL, pipe.Fd(), setPipeSize, 4*guest.MaxPayload)
}
