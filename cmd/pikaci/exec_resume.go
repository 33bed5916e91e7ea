package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/gc"
	"github.com/sledtools/pikaci/runtime/host"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/result"
	"github.com/sledtools/pikaci/runtime/snapshot"
	"github.com/sledtools/pikaci/schema/plan"
)

// resumed is a run whose owner was killed, owned by this process now.
type resumed struct {
	dir      *record.Dir
	lock     *record.Lock
	progress runtime.Progress
}

// reopen becomes the owner of the run that --resume names, and reads how far
// it came. What the run was asked for comes from its journal, not from flags.
func (x *execution) reopen(s *session) error {
	d, err := x.flags.records.find(s, x.flags.resume)
	if err != nil {
		return err
	}
	lock, err := d.Lock()
	if live := new(record.LiveError); errors.As(err, &live) {
		return &exitError{code: exitBroken, message: live.Error() + ": it can't be resumed",
			hint: "pikaci cancel " + d.ID + " stops it"}
	}
	if err != nil {
		return err
	}
	r := &resumed{dir: d, lock: lock}
	err = d.Events(func(e event.Event) error { r.progress.Add(e); return nil })
	if err == nil {
		err = r.complete(s)
	}
	if err == nil {
		err = r.refuse()
	}
	if err != nil {
		lock.Release()
		return err
	}
	x.resumed, x.stateRoot = r, d.StateRoot()
	started := r.progress.Started
	x.flags.job, x.flags.failFast, x.flags.prepareOnly = started.Job, started.FailFast, started.PrepareOnly
	x.flags.timeout = time.Duration(started.TimeoutMS) * time.Millisecond
	x.flags.noCache = started.NoCache
	x.flags.stateRoot = d.StateRoot()
	if !x.flags.set.Changed("source") {
		x.flags.source = started.SourceRoot
	}
	return nil
}

// complete writes the records of a run that ended, if it was killed while it
// wrote them; the error is the run's verdict then.
func (r *resumed) complete(s *session) error {
	ended := r.progress.Finished
	if ended == nil {
		return nil
	}
	var fold record.Fold
	if err := r.dir.Events(func(e event.Event) error { fold.Add(e); return nil }); err != nil {
		return err
	}
	run := fold.Run()
	if r.dir.Complete(run) {
		return nil
	}
	if err := writeRecords(r.dir, run, fold.Outputs()); err != nil {
		return diskFull(err)
	}
	if err := result.Keep(filepath.Dir(filepath.Dir(r.dir.Path)), &run); err != nil {
		s.note("pikaci: %v", err)
	}
	s.note("pikaci: run %s had ended: %s; its records are complete now", r.dir.ID, ended.Verdict)
	if ended.ExitCode == runtime.ExitPassed {
		return errDone
	}
	return verdict(ended.ExitCode)
}

// errDone means that all is done, and well.
var errDone = errors.New("done")

// refuse tells of runs that can't go on.
func (r *resumed) refuse() error {
	p := &r.progress
	switch {
	case p.Finished != nil:
		return usage("pikaci exec starts a new run", "run %s has ended: %s; there is nothing to resume", r.dir.ID, p.Finished.Verdict)
	case p.Started == nil:
		return usage("pikaci exec starts a new run", "run %s was killed before it did anything", r.dir.ID)
	}
	for _, o := range p.Outputs {
		if _, err := os.Stat(o.StorePath); err != nil {
			return invalid("pikaci exec starts a new run", "run %s can't be resumed: its output %s is gone", r.dir.ID, o.StorePath)
		}
	}
	return nil
}

// planFile is where the plan comes from: the named one, else the run's own.
func (x *execution) planFile(args []string) string {
	if len(args) == 0 {
		return filepath.Join(x.resumed.dir.Path, "plan.json")
	}
	return args[0]
}

// refuseOther holds plan and host against those that the run began with.
func (x *execution) refuseOther() error {
	started := x.resumed.progress.Started
	if x.plan.Digest != started.PlanDigest {
		return invalid("leave out the plan: the run has its own; pikaci diff shows how two plans differ",
			"another plan than that of run %s: its digest is %s, the run's %s", x.resumed.dir.ID, x.plan.Digest, started.PlanDigest)
	}
	if got := x.hostDigest(); got != started.HostDigest {
		return invalid("resume it with the flags and the runner file that it was started with",
			"run %s began with other images, instance types, profiles, project or pool than this host gives now", x.resumed.dir.ID)
	}
	return nil
}

// hostDigest is of all that the host decides which an instance under way can't
// change any more. The plan is as overridden by the host.
func (x *execution) hostDigest() string {
	type job struct {
		ID    string
		Incus *plan.Incus
	}
	all := struct {
		Jobs                          []job
		Socket, Project, Pool, Source string
	}{Socket: x.runner.Incus.Socket, Project: x.runner.Incus.Project, Pool: x.runner.Incus.StoragePool, Source: x.source}
	for _, j := range x.plan.Jobs {
		all.Jobs = append(all.Jobs, job{j.ID, j.Incus})
	}
	b, err := json.Marshal(all)
	if err != nil {
		panic("BUG: a plan that JSON can't hold: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// refuseOtherTree holds the source tree, and the run's copy of it, against the
// hash that the run recorded.
func (x *execution) refuseOtherTree(ctx context.Context) error {
	r := x.resumed
	own := filepath.Join(r.dir.Path, "snapshot")
	scratch := filepath.Join(r.dir.Path, "resume-check")
	defer os.RemoveAll(scratch)
	if r.progress.Snapshot == nil {
		return os.RemoveAll(own)
	}
	want := r.progress.Snapshot.ContentHash
	take := func(from, to string, f snapshot.Filter) (string, error) {
		if err := os.RemoveAll(scratch); err != nil {
			return "", err
		}
		if err := os.Mkdir(scratch, 0o755); err != nil {
			return "", err
		}
		took, err := snapshot.Take(ctx, from, filepath.Join(scratch, to), f)
		return took.ContentHash, err
	}
	got, err := take(own, "own", snapshot.Filter{})
	if err != nil {
		return fmt.Errorf("check the run's snapshot: %w", err)
	}
	if got != want {
		return invalid("pikaci exec starts a new run", "run %s can't be resumed: its snapshot was changed: it is %s, and was %s", r.dir.ID, got, want)
	}
	got, err = take(x.source, "source", snapshot.Filter{Exclude: x.plan.Snapshot.Exclude, Avoid: x.stateRoot})
	if err != nil {
		return fmt.Errorf("compare the source tree: %w", err)
	}
	if got == want {
		return nil
	}
	names := "files"
	if list := differing(own, filepath.Join(scratch, "source")); len(list) > 0 {
		names = strings.Join(list, ", ")
	}
	return invalid("pikaci exec starts a new run",
		"the source tree is not that of run %s any more: %s changed", r.dir.ID, names)
}

// settle waits until no instance is on its way any more that nobody would meet:
// a run that goes on makes its own under the same name, one that only stops
// would look too early.
func (r *resumed) settle() {
	for _, l := range r.progress.Leases {
		if r.progress.Interrupted != "" && l.UUID == "" {
			time.Sleep(time.Until(r.dir.LastWritten().Add(gc.Settle)))
			return
		}
	}
}

// tidy takes away what the attempts left that are made once more: they write
// the same again.
func (r *resumed) tidy(stateRoot string, p *plan.Plan) error {
	// A host job that still runs would write beside the one that is to come.
	if err := errors.Join(host.EndLeft(stateRoot, r.dir.ID), host.RemoveRooms(r.dir.Path)); err != nil {
		return err
	}
	r.settle()
	var errs []error
	for _, j := range p.Jobs {
		n := r.progress.Nodes[plan.ExecuteID(j.ID)]
		if n == nil || n.Attempt == 0 || n.Outcome != nil || n.Retried {
			continue
		}
		errs = append(errs, r.dir.CutLog(j.ID, event.Stdout, n.Stdout), r.dir.CutLog(j.ID, event.Stderr, n.Stderr),
			r.dir.DropArtifacts(j.ID, n.Attempt, n.Kept))
	}
	return errors.Join(errs...)
}
