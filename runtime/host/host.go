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
}

// Executor runs host jobs.
type Executor struct{ options Options }

// New makes an executor.
func New(o Options) *Executor { return &Executor{o} }

// Execute runs the job's command and keeps its artifacts. The copy of the
// snapshot is gone afterwards.
func (x *Executor) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	j := t.Job()
	scratch := filepath.Join(j.Dir, "scratch")
	if err := errors.Join(os.RemoveAll(scratch), os.MkdirAll(scratch, 0o755)); err != nil {
		return event.Outcome{}, fmt.Errorf("make the job's own folder: %w", err)
	}
	defer os.RemoveAll(scratch)
	workspace, artifacts, home := filepath.Join(scratch, "workspace"), filepath.Join(scratch, "artifacts"), filepath.Join(scratch, "home")
	err := runtime.Phase(t.Emit, event.PhaseStarted{Phase: event.Workspace, Job: j.Job.ID}, func() error {
		_, err := snapshot.Take(ctx, j.Snapshot, workspace, snapshot.Filter{})
		return errors.Join(err, os.Mkdir(artifacts, 0o755), os.Mkdir(home, 0o755))
	})
	if err != nil {
		return event.Outcome{}, fmt.Errorf("copy the snapshot for the job: %w", err)
	}
	var out event.Outcome
	err = runtime.Phase(t.Emit, event.PhaseStarted{Phase: event.Command, Job: j.Job.ID}, func() (err error) {
		out, err = x.command(ctx, t, workspace, artifacts, home)
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
		return errors.Join(store.CollectDir(artifacts), store.Close())
	}))
}

func (x *Executor) command(ctx context.Context, t runtime.Task, workspace, artifacts, home string) (event.Outcome, error) {
	j := t.Job()
	env := j.Environment(artifacts)
	maps.Copy(env, x.passed())
	env["HOME"] = home
	exit, err := process.Run(ctx, process.Spec{
		Argv: t.Node.HostCommand.Command, Env: env, Dir: filepath.Join(workspace, j.Job.WorkingDir),
		Stdout: j.Logs.Stdout, Stderr: j.Logs.Stderr,
		Timeout: time.Duration(j.Job.TimeoutSecs) * time.Second,
	})
	if err != nil {
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
