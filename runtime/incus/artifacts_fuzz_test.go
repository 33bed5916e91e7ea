package incus

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/artifact"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/schema/plan"
)

// FuzzTakeTar takes what a hostile guest sends for a tar of artifacts: nothing
// is kept outside the folder, nor over the limits, and the events tell of all.
func FuzzTakeTar(f *testing.F) {
	f.Add(tarOf(f, tar.Header{Name: "a.xml", Size: 3}, tar.Header{Name: "d/b.xml", Size: 9}))
	f.Add(tarOf(f, tar.Header{Name: "../a.xml", Size: 3}, tar.Header{Name: "/etc/b.xml", Size: 3}, tar.Header{Name: "a.xml/c.xml", Size: 1}))
	f.Add(tarOf(f, tar.Header{Name: "l.xml", Linkname: "/etc", Typeflag: tar.TypeSymlink}, tar.Header{Name: "l.xml/passwd", Size: 1}))
	f.Add(tarOf(f, tar.Header{Name: "big.xml", Size: 5000}, tar.Header{Name: string(bytes.Repeat([]byte("n/"), 200)) + "x.xml", Size: 1}))
	f.Add([]byte("no tar"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		j := &runtime.JobContext{Job: &plan.Job{ID: "j", Artifacts: []string{"**/*.xml", "*"}}, Dir: t.TempDir(),
			Limits: runtime.Limits{ArtifactBytes: 1000, ArtifactFiles: 4}}
		told := map[string]int64{}
		task := runtime.Task{Attempt: 1, Jobs: []*runtime.JobContext{j}, Emit: func(e event.Event) error {
			if a := e.Artifact; a.Refused == "" {
				told[a.Path] = a.Bytes
			}
			return nil
		}}
		store, err := artifact.Open(task)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		var frames bytes.Buffer
		for part := range slices.Chunk(sent, 700) {
			guest.WriteFrame(&frames, guest.Artifacts, part)
		}
		guest.WriteFrame(&frames, guest.Done, nil)
		r := &tarFrames{r: &frames, buf: make([]byte, guest.MaxPayload), left: maxTar(j.Limits)}
		if err := takeTar(r, store); err != nil && r.err == nil {
			t.Errorf("an error of the host: %v", err)
		}
		var total int64
		there := 0
		fs.WalkDir(os.DirFS(j.Dir), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			rel, _ := filepath.Rel(j.ArtifactsDir(), filepath.Join(j.Dir, name))
			if size, known := told[rel]; err != nil || !d.Type().IsRegular() || !known || size != info.Size() {
				t.Errorf("%s: %v, told of %v", name, d, told)
			}
			total, there = total+info.Size(), there+1
			return nil
		})
		if total > 1000 || there > 4 || there != len(told) {
			t.Errorf("%d bytes, %d files, %d told of", total, there, len(told))
		}
	})
}

// tarOf is a tar of files that are made of x.
func tarOf(f *testing.F, files ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range files {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			f.Fatal(err)
		}
		w.Write(bytes.Repeat([]byte("x"), int(h.Size)))
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	return b.Bytes()
}
