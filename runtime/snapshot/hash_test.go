package snapshot_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/snapshot"
)

// tree is one that has everything that a hash looks at.
func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, root, map[string]string{"a": "a", "dir/b": "b", "dir/empty": "", "päth/ñ\n日本": "x", "bad\xff\xfe": "y"})
	if err := os.Symlink("dir/b", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "hollow"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestHashOfEqualTrees(t *testing.T) {
	one, two := tree(t), tree(t)
	past := time.Unix(1, 0)
	if err := os.Chtimes(filepath.Join(two, "a"), past, past); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(two, "a"), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, two, map[string]string{".git/HEAD": "left out"})
	copied, a := take(t, one, snapshot.Filter{})
	_, b := take(t, two, snapshot.Filter{})
	_, c := take(t, copied, snapshot.Filter{})
	if a != b || a != c {
		t.Errorf("equal trees give %+v, %+v and %+v", a, b, c)
	}
	if got, want := paths(t, copied), paths(t, one); !slices.Equal(got, want) {
		t.Errorf("copied %q\nof %q", got, want)
	}
}

// TestHashIsStable holds the hash against a known one: it is kept in records
// and compared over versions of pikaci.
func TestHashIsStable(t *testing.T) {
	_, r := take(t, tree(t), snapshot.Filter{})
	const want = "sha256:9122feba0fa303256b574beb83292838fd6adef89e399c282696d730f2646976"
	if r.ContentHash != want {
		t.Errorf("got %s, want %s", r.ContentHash, want)
	}
}

func TestHashSeesEveryChange(t *testing.T) {
	_, before := take(t, tree(t), snapshot.Filter{})
	seen := map[string]string{before.ContentHash: "no change"}
	for name, change := range map[string]func(root string) error{
		"content":    func(r string) error { return os.WriteFile(filepath.Join(r, "a"), []byte("A"), 0o644) },
		"empty":      func(r string) error { return os.Truncate(filepath.Join(r, "a"), 0) },
		"executable": func(r string) error { return os.Chmod(filepath.Join(r, "a"), 0o755) },
		"name":       func(r string) error { return os.Rename(filepath.Join(r, "a"), filepath.Join(r, "A")) },
		"place":      func(r string) error { return os.Rename(filepath.Join(r, "a"), filepath.Join(r, "dir/a")) },
		"gone":       func(r string) error { return os.Remove(filepath.Join(r, "a")) },
		"new":        func(r string) error { return os.WriteFile(filepath.Join(r, "c"), nil, 0o644) },
		"folder":     func(r string) error { return os.Mkdir(filepath.Join(r, "c"), 0o755) },
		"no folder":  func(r string) error { return os.Remove(filepath.Join(r, "hollow")) },
		"link": func(r string) error {
			os.Remove(filepath.Join(r, "link"))
			return os.Symlink("dir/c", filepath.Join(r, "link"))
		},
		"link to file": func(r string) error {
			os.Remove(filepath.Join(r, "link"))
			return os.WriteFile(filepath.Join(r, "link"), []byte("dir/b"), 0o644)
		},
		"newline": func(r string) error {
			return os.Rename(filepath.Join(r, "päth/ñ\n日本"), filepath.Join(r, "päth/ñ日本"))
		},
		"byte of a name": func(r string) error {
			return os.Rename(filepath.Join(r, "bad\xff\xfe"), filepath.Join(r, "bad\xff\xfd"))
		},
	} {
		root := tree(t)
		if err := change(root); err != nil {
			t.Fatal(err)
		}
		_, r := take(t, root, snapshot.Filter{})
		if other, ok := seen[r.ContentHash]; ok {
			t.Errorf("%s: the hash is that of: %s", name, other)
		}
		seen[r.ContentHash] = name
	}
}
