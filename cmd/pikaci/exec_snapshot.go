package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/result"
	"github.com/sledtools/pikaci/runtime/snapshot"
)

// sameAsBefore reports whether passes of earlier runs stand in for all jobs with
// the source tree as it is now. Nothing reads a copy of the tree then, and to
// make one takes longer than all else: the snapshot of the run that it names is
// the same. Only where every job has passed before is the tree read for that.
func (x *execution) sameAsBefore(ctx context.Context, run runtime.RunContext, store *result.Store) (t *snapshot.Tree, earlier string) {
	var none *snapshot.Tree
	if x.flags.noCache || x.flags.prepareOnly || len(x.jobs) == 0 {
		return none, ""
	}
	for i := range x.jobs {
		if runtime.WhyNotReused(&x.jobs[i]) != "" || !store.HasLast(x.jobs[i].ID) {
			return none, ""
		}
	}
	t, err := snapshot.Read(ctx, x.source, snapshot.Filter{Exclude: x.plan.Snapshot.Exclude, Avoid: x.stateRoot})
	if err != nil {
		return none, "" // taking the snapshot will say it
	}
	views := &snapshot.Views{Snapshot: run.Snapshot}
	views.Know(t)
	run.SnapshotHash, run.Views = t.Result().ContentHash, views
	commands := map[string][]string{}
	for i := range x.plan.Nodes {
		if n := &x.plan.Nodes[i]; !n.Prepares() {
			commands[n.Jobs[0]] = n.Command()
		}
	}
	contexts := runtime.Contexts(x.plan, &run, x.flags.job, x.secrets, x.limits)
	for i := range x.jobs {
		l, _ := store.Find(ctx, contexts[x.jobs[i].ID], commands[x.jobs[i].ID])
		if !l.Found {
			return none, ""
		}
		// A job that reads a part of the tree may have passed with another one.
		if store.SnapshotHash(l.Run) == run.SnapshotHash {
			earlier = l.Run
		}
	}
	if info, err := os.Lstat(filepath.Join(x.stateRoot, "runs", earlier, "snapshot")); earlier == "" || err != nil || !info.IsDir() {
		return none, ""
	}
	return t, earlier
}

// linkSnapshot makes the run's snapshot a link to that of an earlier run.
func linkSnapshot(run runtime.RunContext, earlier string) error {
	return os.Symlink(filepath.Join("..", earlier, "snapshot"), run.Snapshot)
}

// ownSnapshot makes a run's snapshot a copy of its own, where it is a link to
// an earlier run's and something is to be carried out after all: a pass or a
// payload is gone meanwhile. It does so once.
func ownSnapshot(at string) func(context.Context, string) error {
	var mu sync.Mutex
	own := false
	return func(ctx context.Context, hash string) error {
		mu.Lock()
		defer mu.Unlock()
		info, err := os.Lstat(at)
		if own || err != nil || info.Mode()&os.ModeSymlink == 0 {
			own = own || err == nil
			return err
		}
		scratch := at + ".copy"
		defer os.RemoveAll(scratch)
		if err := os.RemoveAll(scratch); err != nil {
			return err
		}
		took, err := snapshot.Take(ctx, at, scratch, snapshot.Filter{})
		if err != nil {
			return fmt.Errorf("copy the snapshot of an earlier run: %w", err)
		}
		if took.ContentHash != hash {
			return fmt.Errorf("the snapshot of an earlier run, %s, was changed: it is %s, and was %s", at, took.ContentHash, hash)
		}
		// At no moment is there none.
		if err := unix.Renameat2(unix.AT_FDCWD, scratch, unix.AT_FDCWD, at, unix.RENAME_EXCHANGE); err != nil {
			return fmt.Errorf("put the snapshot in its place: %w", err)
		}
		own = true
		return nil
	}
}
