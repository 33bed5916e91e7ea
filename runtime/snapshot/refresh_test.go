package snapshot_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/snapshot"
)

// old is a time that no test writes a file at.
var old = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)

func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(at, old, old); err != nil {
			t.Fatal(err)
		}
	}
}

func refresh(t *testing.T, source, target string, before []string) snapshot.Refreshed {
	t.Helper()
	r, err := snapshot.Refresh(t.Context(), source, target, before)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRefreshKeepsWhatIsEqualAndRemovesWhatWentAway(t *testing.T) {
	source, target := t.TempDir(), filepath.Join(t.TempDir(), "workspace")
	put(t, source, map[string]string{"same": "s", "changed": "aaa", "gone": "g", "olddir/x": "x", "dir/spoiled": "good", "kind": "file"})
	if err := os.Symlink("same", filepath.Join(source, "link")); err != nil {
		t.Fatal(err)
	}
	refresh(t, source, target, nil)
	before, err := snapshot.Paths(source)
	if err != nil {
		t.Fatal(err)
	}
	// What jobs make, and what they spoil.
	put(t, target, map[string]string{"target/out.o": "built", "olddir/built": "b", "dir/spoiled": "evil", "same": "s", "changed": "aaa"})

	next := t.TempDir()
	put(t, next, map[string]string{"same": "s", "changed": "bbb", "dir/spoiled": "good", "kind/now": "a folder"})
	if err := os.Symlink("changed", filepath.Join(next, "link")); err != nil {
		t.Fatal(err)
	}
	got := refresh(t, next, target, before)
	if want := (snapshot.Refreshed{Kept: 2, Written: 5, Removed: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for name, want := range map[string]string{"same": "s", "changed": "bbb", "dir/spoiled": "good", "kind/now": "a folder",
		"link": "bbb", "target/out.o": "built", "olddir/built": "b"} {
		if b, err := os.ReadFile(filepath.Join(target, name)); string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	for _, name := range []string{"gone", "olddir/x"} {
		if _, err := os.Lstat(filepath.Join(target, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	at := func(name string) time.Time {
		info, err := os.Stat(filepath.Join(target, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.ModTime()
	}
	// Of a time in the past, a build tool would not see the change.
	if !at("same").Equal(old) || !at("changed").After(old) || !at("dir/spoiled").After(old) {
		t.Errorf("times: same %v, changed %v, spoiled %v", at("same"), at("changed"), at("dir/spoiled"))
	}
}

func TestRefreshWritesNothingOutsideOfTheFolder(t *testing.T) {
	source, target, outside := t.TempDir(), t.TempDir(), t.TempDir()
	put(t, source, map[string]string{"dir/file": "new", "file": "new"})
	put(t, outside, map[string]string{"file": "mine", "victim": "mine"})
	for name, to := range map[string]string{"dir": outside, "file": filepath.Join(outside, "file"), "other": outside} {
		if err := os.Symlink(to, filepath.Join(target, name)); err != nil {
			t.Fatal(err)
		}
	}
	refresh(t, source, target, []string{"other/victim", "../victim", "/etc/none"})
	for _, name := range []string{"file", "victim"} {
		if b, err := os.ReadFile(filepath.Join(outside, name)); string(b) != "mine" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(target, "dir/file")); string(b) != "new" {
		t.Errorf("dir/file: %q", b)
	}
}

func TestRefreshGivesTheSnapshotsModes(t *testing.T) {
	source, target := t.TempDir(), t.TempDir()
	put(t, source, map[string]string{"run": "x", "dir/f": "y"})
	if err := os.Chmod(filepath.Join(source, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, target, map[string]string{"run": "x", "dir/f": "y"})
	if err := os.Chmod(filepath.Join(target, "dir"), 0o500); err != nil {
		t.Fatal(err)
	}
	if got := refresh(t, source, target, nil); got.Kept != 3 {
		t.Errorf("%+v", got)
	}
	info, err := os.Stat(filepath.Join(target, "run"))
	if err != nil || info.Mode().Perm() != 0o755 || !info.ModTime().Equal(old) {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(target, "dir")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
}
