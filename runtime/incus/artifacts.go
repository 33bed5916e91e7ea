package incus

import (
	"archive/tar"
	"errors"
	"io"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/artifact"
	"github.com/sledtools/pikaci/runtime/guest"
)

// maxTar is the most that a guest which keeps to the limits sends: its files,
// what tar adds to each, and the files that it tells of.
func maxTar(l runtime.Limits) int64 {
	const each = 16 << 10 // a long name twice, headers, padding
	return l.ArtifactBytes + int64(l.ArtifactFiles+guest.MaxNotSent+1)*each
}

// tarFrames is the tar within a guest's frames. It ends with the frame that
// ends the job; err is its first error, and a connection's end is one.
type tarFrames struct {
	r         io.Reader
	buf, rest []byte
	left      int64
	err       error
}

func (t *tarFrames) Read(p []byte) (int, error) {
	for len(t.rest) == 0 && t.err == nil {
		t.next()
	}
	if t.err != nil {
		return 0, t.err
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

func (t *tarFrames) next() {
	kind, payload, err := readFrame(t.r, t.buf)
	t.left -= int64(len(payload))
	switch {
	case err == io.EOF:
		t.err = io.ErrUnexpectedEOF
	case err != nil:
		t.err = err
	case kind == guest.Done:
		t.err = io.EOF
	case kind != guest.Artifacts:
		t.err = lie("frame %d among the artifacts", kind)
	case t.left < 0:
		t.err = lie("more artifacts than were asked for")
	default:
		t.rest = payload
	}
}

// takeTar keeps the files of a guest's tar that the job asks for. An error is
// of the stream, which r knows, or of the host.
func takeTar(r *tarFrames, store *artifact.Store) error {
	files := tar.NewReader(r)
	for {
		h, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			_, err = io.Copy(io.Discard, r) // what may follow a tar's end
			return err
		case r.err != nil && r.err != io.EOF:
			return r.err
		case err != nil:
			return store.Refuse("(tar)", 0, "the guest's archive is broken: "+clean(err.Error()))
		case h.Typeflag == tar.TypeDir || !store.Wanted(h.Name):
		case h.Typeflag == tar.TypeReg:
			err = store.Put(h.Name, h.Size, files)
		default:
			err = store.Refuse(h.Name, 0, notSent(h.Typeflag, store))
		}
		if err != nil {
			return err
		}
	}
}

// notSent says why a guest did not send a file.
func notSent(why byte, store *artifact.Store) string {
	switch why {
	case guest.TooMuch:
		return store.Ceilings()
	case guest.Unreadable:
		return "can't be read"
	}
	return "not a regular file"
}
