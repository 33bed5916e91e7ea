package atomicfile_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sledtools/pikaci/internal/atomicfile"
)

// writers are both ways to write, under a umask that would take bits away.
func writers(t *testing.T, test func(t *testing.T, write func(string, []byte, fs.FileMode) error)) {
	defer syscall.Umask(syscall.Umask(0o077))
	t.Run("Write", func(t *testing.T) { test(t, atomicfile.Write) })
	t.Run("WriteSynced", func(t *testing.T) { test(t, atomicfile.WriteSynced) })
}

func TestReplaces(t *testing.T) {
	writers(t, func(t *testing.T, write func(string, []byte, fs.FileMode) error) {
		path := filepath.Join(t.TempDir(), "record.json")
		for _, want := range []string{"one", "", strings.Repeat("two", 1e6)} {
			if err := write(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(path); string(got) != want || err != nil {
				t.Fatalf("read %d bytes, %v", len(got), err)
			}
		}
		if info, _ := os.Stat(path); info.Mode() != 0o644 {
			t.Errorf("mode %v", info.Mode())
		}
		wantOnly(t, filepath.Dir(path), "record.json")
	})
}

func TestFailuresNameTheFileAndLeaveNothing(t *testing.T) {
	writers(t, func(t *testing.T, write func(string, []byte, fs.FileMode) error) {
		dir := t.TempDir()
		folder := filepath.Join(dir, "record.json")
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := write(folder, []byte("x"), 0o644); err == nil {
			t.Error("a folder was replaced")
		}
		missing := filepath.Join(dir, "none", "record.json")
		if err := write(missing, []byte("x"), 0o644); err == nil || !strings.Contains(err.Error(), missing+":") {
			t.Errorf("%v does not name %s", err, missing)
		}
		wantOnly(t, dir, "record.json")
	})
}

func TestAFullDisk(t *testing.T) {
	writers(t, func(t *testing.T, write func(string, []byte, fs.FileMode) error) {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=65536"); err != nil {
			t.Skipf("a small file system can be mounted by root alone: %v", err)
		}
		defer unix.Unmount(dir, 0)
		path := filepath.Join(dir, "record.json")
		if err := write(path, []byte("before"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := write(path, make([]byte, 128<<10), 0o644); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got %v, want no space", err)
		}
		if b, err := os.ReadFile(path); string(b) != "before" || err != nil {
			t.Errorf("the record is %d bytes: %v", len(b), err)
		}
		wantOnly(t, dir, "record.json")
	})
}

// TestWhole reads while two write all the time.
func TestWhole(t *testing.T) {
	writers(t, func(t *testing.T, write func(string, []byte, fs.FileMode) error) {
		path := filepath.Join(t.TempDir(), "record.json")
		versions := [][]byte{bytes.Repeat([]byte("a"), 50_000), bytes.Repeat([]byte("b"), 70_000)}
		if err := write(path, versions[0], 0o644); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		for _, v := range versions {
			both.Go(func() {
				for range 20 {
					if err := write(path, v, 0o644); err != nil {
						t.Error(err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { both.Wait(); close(done) }()
		for {
			b, err := os.ReadFile(path)
			if err != nil || !slices.ContainsFunc(versions, func(v []byte) bool { return bytes.Equal(v, b) }) {
				t.Fatalf("read %d bytes: %v", len(b), err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
}

// wantOnly demands that dir holds these names, so no temporary file is left.
func wantOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("%s holds %q, want %q", dir, got, names)
	}
}
