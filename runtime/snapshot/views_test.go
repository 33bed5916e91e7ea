package snapshot_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/snapshot"
)

// taken is a copy of a small tree, and what is known of it.
func taken(t *testing.T) (folder string, tree *snapshot.Tree) {
	t.Helper()
	source := t.TempDir()
	write(t, source, map[string]string{"go.mod": "m", "src/a.go": "a", "src/deep/b.go": "b", "src/deep/b.txt": "t", "docs/x.md": "x", "run": "r"})
	if err := os.Chmod(filepath.Join(source, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../docs/x.md", filepath.Join(source, "src/link")); err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(t.TempDir(), "snapshot")
	tree, err := snapshot.TakeTree(t.Context(), source, folder, snapshot.Filter{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return folder, tree
}

func TestAViewHoldsWhatItsGlobsMatch(t *testing.T) {
	for name, c := range map[string]struct {
		globs, want []string
	}{
		"a file":               {[]string{"go.mod"}, []string{"go.mod"}},
		"files at any depth":   {[]string{"**/*.go"}, []string{"src", "src/a.go", "src/deep", "src/deep/b.go"}},
		"a folder's name only": {[]string{"src"}, []string{"src"}},
		"a link, not its end":  {[]string{"src/link"}, []string{"src", "src/link"}},
		"nothing":              {[]string{}, nil},
		"what is not there":    {[]string{"nothing/**"}, nil},
		"two that overlap":     {[]string{"src/deep/*", "**/b.go"}, []string{"src", "src/deep", "src/deep/b.go", "src/deep/b.txt"}},
	} {
		t.Run(name, func(t *testing.T) {
			folder, _ := taken(t)
			views, target := &snapshot.Views{Snapshot: folder}, filepath.Join(t.TempDir(), "views/one")
			hash, err := views.Hash(t.Context(), c.globs)
			if err != nil {
				t.Fatal(err)
			}
			if err := views.Make(t.Context(), c.globs, target); err != nil {
				t.Fatal(err)
			}
			if got, err := snapshot.Paths(target); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("holds %q, want %q", got, c.want)
			}
			there, err := snapshot.Hash(t.Context(), target, snapshot.Filter{})
			if err != nil || there.ContentHash != hash {
				t.Errorf("the folder is %s, it was said to be %s: %v", there.ContentHash, hash, err)
			}
		})
	}
}

// The hash of a part hangs on names, modes, contents and links of what is in it,
// and on nothing else.
func TestTheHashOfAPart(t *testing.T) {
	hash := func(change func(folder string) error) string {
		folder, _ := taken(t)
		if err := change(folder); err != nil {
			t.Fatal(err)
		}
		h, err := (&snapshot.Views{Snapshot: folder}).Hash(t.Context(), []string{"src/**", "run"})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	at := func(folder, name string) string { return filepath.Join(folder, name) }
	same := hash(func(string) error { return nil })
	for name, change := range map[string]func(string) error{
		"another file":        func(f string) error { return os.WriteFile(at(f, "docs/x.md"), []byte("y"), 0o644) },
		"a new file outside":  func(f string) error { return os.WriteFile(at(f, "docs/new"), nil, 0o644) },
		"a file outside gone": func(f string) error { return os.Remove(at(f, "go.mod")) },
	} {
		if hash(change) != same {
			t.Errorf("%s has a say", name)
		}
	}
	for name, change := range map[string]func(string) error{
		"content": func(f string) error { return os.WriteFile(at(f, "src/a.go"), []byte("A"), 0o644) },
		"mode":    func(f string) error { return os.Chmod(at(f, "run"), 0o644) },
		"name":    func(f string) error { return os.Rename(at(f, "src/a.go"), at(f, "src/c.go")) },
		"new":     func(f string) error { return os.WriteFile(at(f, "src/new"), nil, 0o644) },
		"gone":    func(f string) error { return os.Remove(at(f, "src/deep/b.txt")) },
		"folder":  func(f string) error { return os.Mkdir(at(f, "src/new"), 0o755) },
		"link": func(f string) error {
			os.Remove(at(f, "src/link"))
			return os.Symlink("a.go", at(f, "src/link"))
		},
	} {
		if hash(change) == same {
			t.Errorf("%s has no say", name)
		}
	}
}

// What is known of a tree that is not copied yet gives the same hashes.
func TestPartsOfATreeThatIsOnlyRead(t *testing.T) {
	folder, tree := taken(t)
	read, err := snapshot.Read(t.Context(), folder, snapshot.Filter{})
	if err != nil || read.Result() != tree.Result() {
		t.Fatalf("%+v, %+v, %v", read.Result(), tree.Result(), err)
	}
	views := &snapshot.Views{Snapshot: "/nowhere"}
	views.Know(tree)
	got, err := views.Hash(t.Context(), []string{"src/**"})
	if want := read.Part([]string{"src/**"}).Result().ContentHash; err != nil || got != want {
		t.Errorf("%s, want %s: %v", got, want, err)
	}
}

// A view takes no room, where the file system can do that; else it is a copy.
func TestAViewIsLinked(t *testing.T) {
	folder, tree := taken(t)
	beside, err := os.MkdirTemp("/dev/shm", "pikaci-views-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(beside)
	for target, linked := range map[string]bool{filepath.Join(filepath.Dir(folder), "view"): true, filepath.Join(beside, "view"): false} {
		if err := tree.Part([]string{"src/**"}).Link(t.Context(), folder, target); err != nil {
			t.Fatal(err)
		}
		one, err := os.Stat(filepath.Join(folder, "src/a.go"))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.Stat(filepath.Join(target, "src/a.go"))
		if err != nil || os.SameFile(one, two) != linked || !one.ModTime().Equal(two.ModTime()) {
			t.Errorf("%s: the same file: %v, want %v; %v", target, os.SameFile(one, two), linked, err)
		}
	}
}

// An owner who was killed leaves half a folder under another name, or a whole
// one; one that was changed is refused.
func TestAViewThatIsThere(t *testing.T) {
	folder, _ := taken(t)
	target := filepath.Join(t.TempDir(), "views/one")
	make := func() error {
		return (&snapshot.Views{Snapshot: folder}).Make(t.Context(), []string{"src/**"}, target)
	}
	write(t, target+".new", map[string]string{"src/a.go": "half"})
	for range 2 {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(target, "src/a.go")); err != nil || string(b) != "a" {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if _, err := os.Lstat(target + ".new"); err == nil {
		t.Error("the half folder is left")
	}
	write(t, target, map[string]string{"src/more": ""})
	if err := make(); err == nil || !strings.Contains(err.Error(), target+" was changed") {
		t.Errorf("a folder with more in it: %v", err)
	}
}

// A snapshot that lost a file since it was read makes no view.
func TestAViewOfAChangedSnapshot(t *testing.T) {
	folder, tree := taken(t)
	views, target := &snapshot.Views{Snapshot: folder}, filepath.Join(t.TempDir(), "one")
	views.Know(tree)
	if err := os.Remove(filepath.Join(folder, "src/a.go")); err != nil {
		t.Fatal(err)
	}
	if err := views.Make(t.Context(), []string{"src/**"}, target); err == nil || !strings.Contains(err.Error(), "not what it was") {
		t.Error(err)
	}
	if list, _ := filepath.Glob(target + "*"); len(list) > 0 {
		t.Errorf("left %q", list)
	}
}
