package incus

import (
	"archive/tar"
	"errors"
	"io"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/artifact"
)

// artifactReader takes a guest's tar, piece by piece, and keeps the files that
// the job asks for.
type artifactReader struct {
	w    *io.PipeWriter
	done chan error
}

func newArtifactReader(t runtime.Task) *artifactReader {
	r, w := io.Pipe()
	a := &artifactReader{w: w, done: make(chan error, 1)}
	go func() {
		err := takeTar(r, t)
		// The rest is read and dropped: the guest must not hang on it.
		io.Copy(io.Discard, r)
		a.done <- err
	}()
	return a
}

func (a *artifactReader) write(p []byte) { a.w.Write(p) }

// close waits until all that came is kept. A tar that was cut off is no error
// of the job.
func (a *artifactReader) close() error {
	a.w.Close()
	return <-a.done
}

// maxEntries bounds how many entries of a tar are looked at.
const maxEntries = 1_000_000

func takeTar(r io.Reader, t runtime.Task) error {
	store, err := artifact.Open(t.Job(), t.Emit)
	if err != nil {
		return err
	}
	defer store.Close()
	files := tar.NewReader(r)
	for range maxEntries {
		h, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return store.Refuse("(tar)", 0, "the guest's archive is broken: "+err.Error())
		case h.Typeflag == tar.TypeDir || !store.Wanted(h.Name):
		case h.Typeflag != tar.TypeReg:
			err = store.Refuse(h.Name, 0, "not a regular file")
		default:
			err = store.Put(h.Name, h.Size, files)
		}
		if err != nil {
			return err
		}
	}
	return store.Refuse("(tar)", 0, "too many entries")
}
