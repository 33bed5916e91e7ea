package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/artifact"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/process"
	"github.com/sledtools/pikaci/runtime/snapshot"
)

// Options are what the host decides about its own jobs.
type Options struct {
	// PassEnv are names of variables that jobs get from LookupEnv beside
	// PATH: they get nothing else of exec's own environment.
	PassEnv   []string
	LookupEnv func(string) (string, bool)
	// DevShell gives the environment of a development shell of the snapshot's
	// flake; a shell that can't be made is an outcome that says why. What it
	// says of its work goes to log.
	DevShell func(ctx context.Context, run *runtime.RunContext, shell string, log io.Writer) (map[string]string, event.Outcome, error)
	// ShellDerivation names what that shell is made by; equal names are equal
	// shells.
	ShellDerivation func(ctx context.Context, run *runtime.RunContext, shell string) (string, error)
	// Orphans are those of exec; nil where it adopts none: then what leaves a
	// job's process group goes on after it.
	Orphans *process.Orphans
}

// Executor runs host jobs.
type Executor struct {
	options Options

	mu sync.Mutex
	// held are the caches of jobs that may be begun, by job.
	held map[string]*cache
	// rooms are those that no job has.
	rooms []*room
}

// New makes an executor.
func New(o Options) *Executor { return &Executor{options: o, held: make(map[string]*cache)} }

// places are where one job's attempt works.
type places struct {
	room *room
	// workspace is the room's, or the lane's.
	workspace string
	// cache is PIKACI_CACHE; empty where the lane keeps nothing.
	cache string
	// shell is the environment of the job's development shell.
	shell map[string]string
	// nobody says that nothing goes on of what was started there.
	nobody bool
}

// Execute runs the job's command and keeps its artifacts. What it left running
// is ended, and the copy of the snapshot is gone afterwards, unless the lane
// keeps its workspace.
func (x *Executor) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	j := t.Job()
	r, err := x.enter(j.Dir)
	if err != nil {
		return event.Outcome{}, fmt.Errorf("make the job's own folder: %w", err)
	}
	p := &places{room: r, workspace: r.workspace()}
	defer func() { x.leave(r, p.nobody) }()
	return x.inRoom(ctx, t, p)
}

// endOrphans ends what left the process group of a job's command, and tells
// whether nothing of the job goes on.
func (x *Executor) endOrphans(j *runtime.JobContext) (nobody bool, err error) {
	o := x.options.Orphans
	if o == nil {
		return false, nil
	}
	if o.None() {
		return true, nil
	}
	ended, err := endJob(j.StateRoot, j.RunContext.ID, j.Job.ID)
	if len(ended) > 0 {
		fmt.Fprintf(j.Logs.Host, "pikaci: killed what the command left running: %s\n", strings.Join(ended, ", "))
	}
	// What was killed ends in a moment. Others may go on: of another job, of the
	// host's setup, or such as are not known to be of this one.
	for begin := time.Now(); len(ended) > 0 && time.Since(begin) < endMoment; time.Sleep(time.Millisecond) {
		if o.None() {
			return true, err
		}
	}
	return false, err
}

// endMoment is how long the end of what was killed is waited for.
const endMoment = 20 * time.Millisecond

func (x *Executor) inRoom(ctx context.Context, t runtime.Task, p *places) (event.Outcome, error) {
	j := t.Job()
	var out event.Outcome
	release := func() {}
	defer func() { release() }()
	err := runtime.Phase(t.Emit, event.PhaseStarted{Phase: event.Workspace, Job: j.Job.ID}, func() (err error) {
		if out, err = x.shell(ctx, j, p); err != nil || out.Verdict != event.Passed {
			return err
		}
		if release, err = x.prepare(ctx, j, p); err != nil {
			return fmt.Errorf("copy the snapshot for the job: %w", err)
		}
		return nil
	})
	switch {
	case err != nil:
		return event.Outcome{}, err
	case out.Verdict != event.Passed:
		return out, nil
	}
	err = runtime.Phase(t.Emit, event.PhaseStarted{Phase: event.Command, Job: j.Job.ID}, func() (err error) {
		out, err = x.command(ctx, t, p)
		return err
	})
	if len(j.Job.Artifacts) == 0 {
		return out, err
	}
	return out, errors.Join(err, runtime.Phase(t.Emit, event.PhaseStarted{Phase: event.Artifacts, Job: j.Job.ID}, func() error {
		store, err := artifact.Open(t)
		if err != nil {
			return err
		}
		return errors.Join(store.CollectDir(p.room.artifacts()), store.Close())
	}))
}

// shell finds the environment of the job's development shell.
func (x *Executor) shell(ctx context.Context, j *runtime.JobContext, p *places) (out event.Outcome, err error) {
	if j.Job.DevShell == "" {
		return event.Outcome{Verdict: event.Passed}, nil
	}
	p.shell, out, err = x.options.DevShell(ctx, j.RunContext, j.Job.DevShell, j.Logs.Host)
	return out, err
}

// prepare makes the job's workspace; release gives back what it took for it.
func (x *Executor) prepare(ctx context.Context, j *runtime.JobContext, p *places) (release func(), err error) {
	if !j.Job.HostCache {
		return func() {}, snapshot.Fill(ctx, j.Workspace(), p.workspace)
	}
	release = func() {}
	c := x.heldFor(j.Job.ID)
	if c == nil { // nobody held it for the job
		var by string
		if c, by, err = takeCache(j); err != nil {
			return release, err
		}
		if c == nil {
			return release, fmt.Errorf("%s has the cache of lane %s", by, j.Lane.ID)
		}
		release = c.release
	}
	if err := c.ready(j); err != nil {
		return release, err
	}
	p.workspace, p.cache = c.workspace(), c.own()
	return release, c.refresh(ctx, j)
}

func (x *Executor) command(ctx context.Context, t runtime.Task, p *places) (event.Outcome, error) {
	j := t.Job()
	env := j.Environment(p.room.artifacts())
	maps.Copy(env, x.passed())
	env["HOME"] = p.room.home()
	devShellEnv(p.shell, env)
	if p.cache != "" {
		env["PIKACI_CACHE"] = p.cache
	}
	var endErr error
	exit, err := process.Run(ctx, process.Spec{
		Argv: t.Node.HostCommand.Command, Env: env, Dir: filepath.Join(p.workspace, j.Job.WorkingDir),
		Stdout: j.Logs.Stdout, Stderr: j.Logs.Stderr,
		Timeout: time.Duration(j.Job.TimeoutSecs) * time.Second, Kill: t.Abandon,
		Left: func() { p.nobody, endErr = x.endOrphans(j) },
	})
	if err = errors.Join(err, endErr); err != nil {
		return event.Outcome{}, err
	}
	return runtime.OutcomeOf(j.Job, exit), nil
}

// Setup runs a host_setup command in the source tree with exec's own
// environment: it belongs to the host, not to a job.
func Setup(ctx context.Context, dir string, argv []string, log io.Writer) error {
	env := make(map[string]string)
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	exit, err := process.Run(ctx, process.Spec{Argv: argv, Env: env, Dir: dir, Stdout: log, Stderr: log})
	switch {
	case err != nil:
		return err
	case exit.Problem != "":
		return errors.New(exit.Problem)
	case exit.Signal != "":
		return fmt.Errorf("killed by %s", exit.Signal)
	case exit.Code != 0:
		return fmt.Errorf("exit code %d", exit.Code)
	}
	return nil
}
