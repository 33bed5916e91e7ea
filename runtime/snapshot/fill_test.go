package snapshot_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sledtools/pikaci/runtime/snapshot"
)

// A workspace that was filled is the snapshot again, as a copy of it tells.
func TestFill(t *testing.T) {
	source, taken, filled := t.TempDir(), filepath.Join(t.TempDir(), "taken"), t.TempDir()
	for name, mode := range map[string]os.FileMode{"a": 0o644, "deep/er/run": 0o755, "deep/empty": 0o644} {
		path := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		content := []byte(name)
		if name == "deep/empty" {
			content = nil
		}
		if err := os.WriteFile(path, content, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(source, "link")); err != nil {
		t.Fatal(err)
	}
	want, err := snapshot.Take(t.Context(), source, taken, snapshot.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Fill(t.Context(), taken, filled); err != nil {
		t.Fatal(err)
	}
	got, err := snapshot.Take(t.Context(), filled, filepath.Join(t.TempDir(), "again"), snapshot.Filter{})
	if err != nil || got.ContentHash != want.ContentHash || got.Files != want.Files {
		t.Errorf("Fill made %+v of %+v: %v", got, want, err)
	}
	if err := snapshot.Fill(t.Context(), filepath.Join(source, "gone"), t.TempDir()); err == nil {
		t.Error("filled from a snapshot that is not there")
	}
}
