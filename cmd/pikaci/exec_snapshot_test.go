package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/snapshot"
)

// linked is the context of a run whose snapshot is a link to another's.
func linked(t *testing.T) (runtime.RunContext, string) {
	root := t.TempDir()
	earlier, run := runtime.NewRunContext(root, "earlier", "/source"), runtime.NewRunContext(root, "now", "/source")
	err := errors.Join(os.MkdirAll(filepath.Join(earlier.Snapshot, "dir"), 0o755), os.Mkdir(run.Dir, 0o755),
		os.WriteFile(filepath.Join(earlier.Snapshot, "dir/file"), []byte("content"), 0o644), linkSnapshot(run, "earlier"))
	r, hashErr := snapshot.Hash(t.Context(), earlier.Snapshot, snapshot.Filter{})
	if err := errors.Join(err, hashErr); err != nil {
		t.Fatal(err)
	}
	run.SnapshotHash, run.OwnSnapshot = r.ContentHash, ownSnapshot(run.Snapshot)
	return run, earlier.Snapshot
}

func TestALinkedSnapshotBecomesACopy(t *testing.T) {
	run, earlier := linked(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := run.NeedSnapshot(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if info, err := os.Lstat(run.Snapshot); err != nil || !info.IsDir() {
		t.Fatalf("%v, %v", info, err)
	}
	if err := os.RemoveAll(earlier); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(run.Snapshot, "dir/file")); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
	if left, _ := filepath.Glob(run.Snapshot + ".*"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestALinkedSnapshotThatWasChangedIsNotTaken(t *testing.T) {
	run, earlier := linked(t)
	if err := os.WriteFile(filepath.Join(earlier, "dir/file"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run.NeedSnapshot(t.Context()); err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("got %v", err)
	}
	// Nor is one that is gone.
	if err := os.RemoveAll(earlier); err != nil {
		t.Fatal(err)
	}
	if err := run.NeedSnapshot(t.Context()); err == nil {
		t.Error("a snapshot that is gone is taken")
	}
}
