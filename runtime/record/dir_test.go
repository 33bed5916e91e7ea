package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// create makes a run directory in a fresh state root.
func create(t testing.TB) *record.Dir {
	t.Helper()
	return createIn(t, t.TempDir())
}

func createIn(t testing.TB, root string) *record.Dir {
	t.Helper()
	d, err := record.Create(root, "run")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// smallDisk is a folder on a file system of the size, in bytes.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Fatalf("this test fills a small tmpfs, which only root can mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves no room on the file system that dir is on.
func fill(t *testing.T, dir string) (undo func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	f.Close()
	return func() { os.Remove(name) }
}

func TestCreate(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a/b")
	d, err := record.Create(root, "01abc")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "runs/01abc"); d.Path != want || d.ID != "01abc" {
		t.Errorf("got %+v, want path %s", d, want)
	}
	if info, err := os.Stat(filepath.Join(d.Path, "jobs")); err != nil || !info.IsDir() {
		t.Errorf("no jobs folder: %v", err)
	}
	if again, err := record.Create(root, "01abc"); err == nil || again != nil || !strings.Contains(err.Error(), "run 01abc is there already") {
		t.Errorf("twice: %v, %v", again, err)
	}
	t.Chdir(t.TempDir())
	if d, err := record.Create("state", "r"); err != nil || !filepath.IsAbs(d.Path) {
		t.Errorf("relative root: %+v, %v", d, err)
	}
}

func TestCreateOnlyOnce(t *testing.T) {
	root := t.TempDir()
	var made sync.Map
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, err := record.Create(root, "same"); err == nil {
				made.Store(i, true)
			}
		})
	}
	all.Wait()
	n := 0
	made.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("made %d times", n)
	}
}

func TestRunIDs(t *testing.T) {
	root := t.TempDir()
	for _, id := range []string{"a", "A.b_c-9", "20260326T013040Z-9247c703", strings.Repeat("x", 64), "a..b"} {
		if _, err := record.Create(root, id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "../x", "a/b", "/a", "-a", ".a", "_a", "a b", "a\n", "\na", "a\x00", "ä", strings.Repeat("x", 65)} {
		if _, err := record.Create(root, id); err == nil || !strings.Contains(err.Error(), "want letters") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestCreateWhereItCant(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "runs"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if d, err := record.Create(root, "r"); err == nil || d != nil {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestNewIDSortsByTime(t *testing.T) {
	var ids []string
	for i := range 100 {
		id := record.NewID(time.Unix(1_700_000_000+int64(i)*3600, 0))
		if _, err := record.Create(t.TempDir(), id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if !slices.IsSorted(ids) || len(slices.Compact(ids)) != 100 {
		t.Errorf("not sorted: %q", ids)
	}
}

func TestRecordsOfARun(t *testing.T) {
	d := create(t)
	if err := d.WriteJSON("x.json", map[string]string{"a": "<b>"}); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteSnapshot("/src", event.SnapshotTaken{ContentHash: "sha256:1", GitHead: "abc", GitDirty: true}); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteResult(record.JobRecord{ID: "job"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"x.json":               "{\n  \"a\": \"",
		"pikaci-snapshot.json": "{\n  \"source_root\": \"/src\",\n  \"git_head\": \"abc\",\n  \"git_dirty\": true,\n  \"created_at\": \"",
		"jobs/job/result.json": "{\n  \"id\": \"job\",",
	} {
		if b, err := os.ReadFile(filepath.Join(d.Path, name)); err != nil || !strings.HasPrefix(string(b), want) || !bytes.HasSuffix(b, []byte("}\n")) {
			t.Errorf("%s is %s: %v", name, b, err)
		}
	}
	if err := d.WriteJSON("y.json", func() {}); err == nil || !strings.Contains(err.Error(), "encode y.json") {
		t.Errorf("got %v", err)
	}
	if err := d.Write("none/z", nil); err == nil || !strings.Contains(err.Error(), "write none/z of run run") {
		t.Errorf("got %v", err)
	}
}

// TestStreamReport: a report that could not be written whole leaves what was
// there, and nothing beside it.
func TestStreamReport(t *testing.T) {
	d, err := record.Create(t.TempDir(), "r")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WriteReport("report.html", []byte("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the log can't be read")
	err = d.StreamReport("report.html", func(w io.Writer) error {
		io.WriteString(w, "half")
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("error: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(d.Path, "report.html"))
	if string(b) != "old" || err != nil {
		t.Errorf("the file holds %q, %v", b, err)
	}
	if all, err := os.ReadDir(d.Path); len(all) != 2 || err != nil { // and jobs
		t.Errorf("the run directory holds %v, %v", all, err)
	}
}

func TestHalvesOfRemovedRunsAreRemoved(t *testing.T) {
	root := filepath.Join(t.TempDir(), "state[1]")
	half, whole := filepath.Join(root, "runs/.removed-one/jobs"), filepath.Join(root, "runs/two")
	if err := errors.Join(os.MkdirAll(half, 0o755), os.MkdirAll(whole, 0o755), record.RemoveHalves(root)); err != nil {
		t.Fatal(err)
	}
	if list, _ := os.ReadDir(filepath.Join(root, "runs")); len(list) != 1 || list[0].Name() != "two" {
		t.Errorf("left %v", list)
	}
}
