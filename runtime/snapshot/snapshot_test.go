package snapshot_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/snapshot"
)

// write makes a tree of files, their folders too.
func write(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// take copies the tree and returns the copy. Without a copy its hash must be the
// same.
func take(t *testing.T, source string, f snapshot.Filter) (string, snapshot.Result) {
	t.Helper()
	target := filepath.Join(t.TempDir(), "snapshot")
	r, err := snapshot.Take(t.Context(), source, target, f)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := snapshot.Hash(t.Context(), source, f); err != nil || h != r {
		t.Errorf("hashed as %+v, %v, copied as %+v", h, err, r)
	}
	return target, r
}

// paths are all paths below root that are not folders, sorted.
func paths(t *testing.T, root string) []string {
	t.Helper()
	list := []string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(root, p)
			list = append(list, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func TestFilter(t *testing.T) {
	source := t.TempDir()
	kept := map[string]string{
		"a.txt": "a", "sub/deep/er/b.txt": "b", ".gitignore": "", "sub/.github/x": "", "targets/x": "",
		// At the root a folder of these names may be a source.
		"node_modules/x": "", ".gradle/x": "", "DerivedData/x": "", "build/x": "",
		// Names match whole and with case.
		"sub/Build/x": "", "sub/rebuild/x": "", "sub/.GIT/x": "", "build/sub/Target/x": "",
		// Excluded at the root only.
		"sub/ios/x": "",
	}
	left := map[string]string{
		"sub/target": "a file of that name too", "ios/x": "", "android.txt": "",
	}
	for _, name := range []string{".git", ".pikaci", ".direnv", "target"} {
		for _, dir := range []string{"", "sub/", "sub/deep/er/", "build/", "node_modules/p/"} {
			if dir != "sub/" || name != "target" {
				left[dir+name+"/x"] = ""
			}
		}
	}
	for _, name := range []string{"node_modules", ".gradle", "DerivedData", "build"} {
		for _, dir := range []string{"sub/", "sub/deep/er/", "build/", "node_modules/p/"} {
			left[dir+name+"/x/y"] = ""
		}
	}
	write(t, source, kept)
	write(t, source, left)
	target, r := take(t, source, snapshot.Filter{Exclude: []string{"ios", "android.txt"}})
	if got, want := paths(t, target), slices.Sorted(maps.Keys(kept)); !slices.Equal(got, want) {
		t.Errorf("kept %q\nwant %q", got, want)
	}
	if r.Files != len(kept) || r.Bytes != 2 {
		t.Errorf("%d files of %d bytes, want %d of 2", r.Files, r.Bytes, len(kept))
	}
	if _, err := os.Stat(filepath.Join(target, "sub/build")); err == nil {
		t.Error("sub/build is there, if empty")
	}
}

func TestFilterOfARootFileNamedBuild(t *testing.T) {
	source := t.TempDir()
	write(t, source, map[string]string{"build": "a script", "sub/build": "a script"})
	target, _ := take(t, source, snapshot.Filter{})
	if got := paths(t, target); !slices.Equal(got, []string{"build"}) {
		t.Errorf("kept %q", got)
	}
}

func TestSymlinksAreMadeAgain(t *testing.T) {
	source, outside := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"secret": "s"})
	write(t, source, map[string]string{"dir/file": "x"})
	links := map[string]string{
		"dangling": "nowhere", "absolute": outside + "/secret", "out": "../../../etc", "dirlink": outside,
		"dir/loop": "../dir", "self": "self", "in": "dir/file", "long": strings.Repeat("x/", 2000) + "y",
	}
	for name, link := range links {
		if err := os.Symlink(link, filepath.Join(source, name)); err != nil {
			t.Fatal(err)
		}
	}
	target, r := take(t, source, snapshot.Filter{})
	for name, want := range links {
		if got, err := os.Readlink(filepath.Join(target, name)); got != want || err != nil {
			t.Errorf("%s points to %q, want %q: %v", name, got, want, err)
		}
	}
	if r.Files != 1 {
		t.Errorf("%d files, want 1", r.Files)
	}
}

func TestCopySharesNothingWithTheSource(t *testing.T) {
	source := t.TempDir()
	write(t, source, map[string]string{"a": "before", "b": "before"})
	if err := os.Link(filepath.Join(source, "a"), filepath.Join(source, "hard")); err != nil {
		t.Fatal(err)
	}
	target, _ := take(t, source, snapshot.Filter{})
	for _, name := range []string{"a", "b", "hard"} {
		from, _ := os.Stat(filepath.Join(source, name))
		to, err := os.Stat(filepath.Join(target, name))
		if err != nil || os.SameFile(from, to) || to.Sys().(*syscall.Stat_t).Nlink != 1 {
			t.Errorf("%s is a hard link: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(source, name), []byte("after!"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(target, name)); string(got) != "before" {
			t.Errorf("%s is %q after the source was changed", name, got)
		}
	}
}

func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	source := t.TempDir()
	modes := map[string][2]fs.FileMode{
		"private": {0o600, 0o644}, "none": {0o400, 0o644}, "shared": {0o666, 0o644},
		"run": {0o700, 0o755}, "group": {0o710, 0o755}, "others": {0o601, 0o755},
		"setuid": {0o755 | fs.ModeSetuid, 0o755}, "setgid": {0o755 | fs.ModeSetgid, 0o755},
		"sticky": {0o644 | fs.ModeSticky, 0o644},
	}
	for name, m := range modes {
		write(t, source, map[string]string{"dir/" + name: name})
		if err := os.Chmod(filepath.Join(source, "dir", name), m[0]); err != nil {
			t.Fatal(err)
		}
	}
	target, _ := take(t, source, snapshot.Filter{})
	for name, m := range modes {
		info, err := os.Stat(filepath.Join(target, "dir", name))
		if err != nil || info.Mode() != m[1] {
			t.Errorf("%s is %v, want %v: %v", name, info.Mode(), m[1], err)
		}
	}
	for _, name := range []string{"", "dir"} {
		if info, err := os.Stat(filepath.Join(target, name)); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("folder %q is %v, want 0755: %v", name, info.Mode(), err)
		}
	}
}

func TestTimesAreKept(t *testing.T) {
	source := t.TempDir()
	write(t, source, map[string]string{"dir/sub/file": "x", "dir/z": ""})
	when := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	for _, name := range []string{"dir/sub/file", "dir/z", "dir/sub", "dir", "."} {
		if err := os.Chtimes(filepath.Join(source, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	target, _ := take(t, source, snapshot.Filter{})
	for _, name := range []string{"dir/sub/file", "dir/z", "dir/sub", "dir", "."} {
		if info, err := os.Stat(filepath.Join(target, name)); err != nil || !info.ModTime().Equal(when) {
			t.Errorf("%s is of %v: %v", name, info.ModTime(), err)
		}
	}
}

func TestPipesAndSocketsAreLeftOut(t *testing.T) {
	// The path of a socket may have 107 bytes at most.
	source, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(source)
	write(t, source, map[string]string{"dir/file": "x"})
	if err := syscall.Mkfifo(filepath.Join(source, "dir/pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mknod(filepath.Join(source, "socket"), syscall.S_IFSOCK|0o644, 0); err != nil {
		t.Fatal(err)
	}
	target, r := take(t, source, snapshot.Filter{})
	if got := paths(t, target); !slices.Equal(got, []string{"dir/file"}) || r.Files != 1 {
		t.Errorf("kept %q, %d files", got, r.Files)
	}
}

func TestUnreadableIsNamed(t *testing.T) {
	for _, name := range []string{"dir/file", "dir"} {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			source, parent := t.TempDir(), t.TempDir()
			write(t, source, map[string]string{"dir/file": "x"})
			if err := errors.Join(os.Chmod(filepath.Join(source, name), 0), os.Chmod(parent, 0o777),
				os.Chmod(filepath.Dir(source), 0o755)); err != nil {
				t.Fatal(err)
			}
			if os.Geteuid() == 0 { // root reads everything
				if err := syscall.Seteuid(65534); err != nil {
					t.Fatal(err)
				}
				defer syscall.Seteuid(0)
			}
			_, err := snapshot.Take(t.Context(), source, filepath.Join(parent, "copy"), snapshot.Filter{})
			if !errors.Is(err, fs.ErrPermission) || !strings.HasPrefix(err.Error(), "copy "+name+": ") {
				t.Errorf("got %v, want one that names %s", err, name)
			}
		})
	}
}

func TestTargetsThatCantBe(t *testing.T) {
	source, parent := t.TempDir(), t.TempDir()
	write(t, source, map[string]string{"file": "x"})
	for name, c := range map[string][2]string{
		"target is there":     {source, parent},
		"no parent":           {source, filepath.Join(parent, "a/b")},
		"no source":           {filepath.Join(source, "none"), filepath.Join(parent, "c")},
		"source is not a dir": {filepath.Join(source, "file"), filepath.Join(parent, "d")},
	} {
		if _, err := snapshot.Take(t.Context(), c[0], c[1], snapshot.Filter{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestEmptyTree(t *testing.T) {
	target, r := take(t, t.TempDir(), snapshot.Filter{})
	if list := paths(t, target); len(list) != 0 || r.Files != 0 || r.Bytes != 0 || !strings.HasPrefix(r.ContentHash, "sha256:") {
		t.Errorf("%q %+v", list, r)
	}
}
