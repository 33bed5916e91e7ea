package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Executor carries out nodes of one kind.
//
// Execute is called at most once for each attempt of a node, from many
// goroutines at once, for different nodes. It returns soon after ctx ends, and
// by then has released what it made, or handed it to the run by a lease. A
// command that ran and failed is an Outcome; an error means that the node
// could not be carried out. When ctx ended it returns context.Cause(ctx),
// wrapped or not; the run makes "cancelled" of that.
type Executor interface {
	Execute(ctx context.Context, t Task) (event.Outcome, error)
}

// Releaser takes back what an executor handed to the run. Release may be
// called more than once for one lease, also for one that was intended and
// never made; it touches nothing that does not bear this run's mark. It runs
// on a context of its own that outlives a cancelled run.
type Releaser interface {
	Release(ctx context.Context, l event.Lease) error
	// RemoveCommand is what a person types to remove what Release left.
	RemoveCommand(l event.Lease) string
}

// Task is one node to carry out and what is known around it.
type Task struct {
	Node    *plan.Node
	Attempt int
	Run     *RunContext
	// Jobs are the jobs that the node is for, in plan order: one for an
	// instance or a command, one or more for a build.
	Jobs []*JobContext
	// Staged is closed once no build goes on that the node's one job waits for,
	// whatever came of it. Nil: nobody says.
	Staged <-chan struct{}
	// Abandon is closed once nobody waits any more: what is not to outlive this
	// process must be ended at once. Nil: that never happens.
	Abandon <-chan struct{}
	// Emit journals an event; it sets sequence and time. It returns after
	// the event is as safe as it must be: leases are synced to disk. An
	// error means that the effect which the event announces must not begin.
	Emit func(event.Event) error
}

// Job is the node's one job.
func (t *Task) Job() *JobContext { return t.Jobs[0] }

// RunContext is what all jobs of a run share.
type RunContext struct {
	ID string
	// StateRoot holds all runs, and what they share, absolute.
	StateRoot string
	// Dir is the run directory, absolute: state root/runs/<id>.
	Dir string
	// SourceRoot is the tree that the snapshot was taken of, absolute.
	SourceRoot string
	// Snapshot is the filtered copy, absolute: Dir/snapshot.
	Snapshot string
	// SnapshotHash is the snapshot's content hash, once it is taken.
	SnapshotHash string
	// OwnSnapshot, if set, is called with that hash before anything reads the
	// snapshot: it may be a link to an earlier run's, and is a copy then.
	OwnSnapshot func(ctx context.Context, hash string) error
	// Views are parts of the snapshot; nil where no job has one of its own.
	Views Views
}

// Views are parts of a snapshot, for jobs that say what they read.
type Views interface {
	// Hash is the content hash of what the globs match.
	Hash(ctx context.Context, globs []string) (string, error)
	// Make makes a folder that holds what the globs match and nothing else,
	// once.
	Make(ctx context.Context, globs []string, folder string) error
}

// NeedSnapshot makes the snapshot one that can be read by whatever is carried
// out.
func (r *RunContext) NeedSnapshot(ctx context.Context) error {
	if r.OwnSnapshot == nil {
		return nil
	}
	return r.OwnSnapshot(ctx, r.SnapshotHash)
}

// NewRunContext is the context of a run; the paths must be absolute.
func NewRunContext(stateRoot, id, sourceRoot string) RunContext {
	dir := filepath.Join(stateRoot, "runs", id)
	return RunContext{ID: id, StateRoot: stateRoot, Dir: dir, SourceRoot: sourceRoot,
		Snapshot: filepath.Join(dir, "snapshot")}
}

// JobContext is one job of a run, as all executors see it. Mounts, devices and
// folders are derived from its staged payloads, nowhere else.
type JobContext struct {
	*RunContext
	Job  *plan.Job
	Lane *plan.Lane
	// Dir is the job's folder, absolute: run directory/jobs/<job>.
	Dir string
	// Logs are open while a node of the job runs.
	Logs Logs
	// Secrets are the values of the job's secrets, by name. They go to the
	// command's environment over a pipe and are masked in all logs.
	Secrets map[string]string
	// HostEnv is what the host adds to the command's environment, where the job
	// says nothing of it.
	HostEnv map[string]string
	// Limits are the host's.
	Limits Limits
}

// Logs are a job's log files. Writing never fails and never waits for a
// reader; secrets are masked on the way.
type Logs struct {
	Host, Stdout, Stderr io.Writer
}

// Unshown is the same log without those who watch it: for what is written to
// the logs of several jobs and shown once.
func Unshown(w io.Writer) io.Writer {
	if l, ok := w.(interface{ Unshown() io.Writer }); ok {
		return l.Unshown()
	}
	return w
}

// Limits bound what a guest can make the host store.
type Limits struct {
	// LogBytes is the most that is kept of one stream of one job.
	LogBytes int64
	// ArtifactBytes and ArtifactFiles bound all artifacts of one job.
	ArtifactBytes int64
	ArtifactFiles int
}

// Workspace is the folder that holds what the job sees of the snapshot: all, or
// what it says that it reads. It is there while a node of the job is carried
// out.
func (j *JobContext) Workspace() string {
	if j.Job.Reads == nil {
		return j.Snapshot
	}
	globs := slices.Compact(slices.Sorted(slices.Values(j.Job.Reads)))
	sum := sha256.Sum256([]byte(strings.Join(globs, "\x00")))
	return filepath.Join(j.RunContext.Dir, "views", hex.EncodeToString(sum[:8]))
}

// WorkspaceHash is the content hash of that.
func (j *JobContext) WorkspaceHash(ctx context.Context) (string, error) {
	if j.Job.Reads == nil {
		return j.SnapshotHash, nil
	}
	return j.Views.Hash(ctx, j.Job.Reads)
}

// needWorkspace makes the snapshot, and what the job sees of it, ones that can
// be read.
func (j *JobContext) needWorkspace(ctx context.Context) error {
	err := j.NeedSnapshot(ctx)
	if err == nil && j.Job.Reads != nil {
		err = j.Views.Make(ctx, j.Job.Reads, j.Workspace())
	}
	return err
}

// ArtifactsDir is where the job's artifacts are kept: Dir/artifacts.
func (j *JobContext) ArtifactsDir() string { return j.Dir + "/artifacts" }

// GuestArtifactsDir is PIKACI_ARTIFACTS inside a guest.
const GuestArtifactsDir = "/run/pikaci/artifacts"

// Environment is what the job's command gets beside PATH and HOME, which
// belong to where it runs: what the host adds, the job's own, secrets, the fixed
// names; each wins over those before it.
func (j *JobContext) Environment(artifacts string) map[string]string {
	env := make(map[string]string, len(j.Job.Env)+len(j.Secrets)+5)
	for k, v := range j.HostEnv {
		env[k] = v
	}
	for k, v := range j.Job.Env {
		env[k] = v
	}
	for k, v := range j.Secrets {
		env[k] = v
	}
	env["CI"] = "true"
	env["PIKACI_RUN_ID"] = j.ID
	env["PIKACI_LANE"] = j.Lane.ID
	env["PIKACI_JOB"] = j.Job.ID
	env["PIKACI_ARTIFACTS"] = artifacts
	return env
}
