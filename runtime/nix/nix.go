package nix

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/payload"
	"github.com/sledtools/pikaci/schema/plan"
)

// Options are what the host decides about Nix.
type Options struct {
	// Program is nix, or where it is.
	Program string
	// Settings go to each call as --option NAME VALUE.
	Settings map[string]string
	// Installables are all that a run may build: they are evaluated together.
	// Without them each is evaluated by itself.
	Installables []string
}

// Executor builds. One installable is built once for a run, whatever the
// number of nodes that ask for it.
type Executor struct {
	options Options
	mu      sync.Mutex
	flights map[string]*flight
	eval    evaluator
	shells  shells
}

// New makes an executor.
func New(o Options) *Executor {
	if o.Program == "" {
		o.Program = "nix"
	}
	return &Executor{options: o, flights: make(map[string]*flight)}
}

// MissingError means that there is no nix program.
type MissingError struct{ Program string }

// Error says what was looked for.
func (e *MissingError) Error() string { return fmt.Sprintf("no program %q in PATH", e.Program) }

// Hint says what to do.
func (e *MissingError) Hint() string { return "install Nix (Debian: apt-get install nix-bin)" }

// Preflight checks that Nix is there.
func (x *Executor) Preflight() error {
	if _, err := exec.LookPath(x.options.Program); err != nil {
		return &MissingError{x.options.Program}
	}
	return nil
}

// killAfter is how long a nix process that was asked to end may take.
const killAfter = 10 * time.Second

// Command is the argv that builds a node's installable with the run directory
// as working directory.
func (x *Executor) Command(node *plan.Node) []string {
	return append(x.base("build"), node.NixBuild.Installable, "--out-link", rootPath(node.ID), "--print-build-logs")
}

func (x *Executor) base(verb ...string) []string {
	return x.set(append([]string{x.options.Program, "--extra-experimental-features", "nix-command flakes"}, verb...))
}

// set adds the settings to a call.
func (x *Executor) set(argv []string) []string {
	for _, name := range sortedKeys(x.options.Settings) {
		argv = append(argv, "--option", name, x.options.Settings[name])
	}
	return argv
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// rootPath is the garbage-collector root of a node's output, relative to the
// run directory.
func rootPath(node string) string { return filepath.Join("roots", node) }

// Execute builds the node's output and exposes it to each of its jobs.
func (x *Executor) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	var built output
	var out event.Outcome
	err := runtime.Phase(t.Emit, event.PhaseStarted{Phase: event.Build, Node: t.Node.ID}, func() (err error) {
		built, out, err = x.build(ctx, t)
		return err
	})
	if err != nil || out.Verdict != event.Passed {
		return out, err
	}
	ready, err := expose(t, built)
	if err != nil {
		return event.Outcome{Verdict: event.Failed, Failure: event.Prepare, Reason: err.Error()}, nil
	}
	return out, t.Emit(event.Event{PayloadReady: ready})
}

// flight is a build under way, or its result.
type flight struct {
	log   *fanOut
	done  chan struct{}
	built output
	out   event.Outcome
	err   error
}

// build starts the build, or joins the one under way.
func (x *Executor) build(ctx context.Context, t runtime.Task) (output, event.Outcome, error) {
	key := t.Node.NixBuild.Installable
	x.mu.Lock()
	f := x.flights[key]
	first := f == nil
	if first {
		f = &flight{log: new(fanOut), done: make(chan struct{})}
		x.flights[key] = f
	}
	x.mu.Unlock()
	for i, j := range t.Jobs {
		log := j.Logs.Host
		if !first || i > 0 {
			log = runtime.Unshown(log)
		}
		f.log.add(log)
	}
	if first {
		f.built, f.out, f.err = x.run(ctx, t, f.log)
		if f.err != nil { // another attempt asks Nix again
			x.mu.Lock()
			delete(x.flights, key)
			x.mu.Unlock()
		}
		close(f.done)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return output{}, event.Outcome{}, context.Cause(ctx)
	}
	if !first && f.err == nil && f.out.Verdict == event.Passed {
		// The root of a node is held under the node's own name.
		if err := link(f.built.StorePath, filepath.Join(t.Run.Dir, rootPath(t.Node.ID))); err != nil {
			return output{}, event.Outcome{}, fmt.Errorf("hold the output: %w", err)
		}
	}
	return f.built, f.out, f.err
}

// run builds, or finds what an earlier run built of the same snapshot.
func (x *Executor) run(ctx context.Context, t runtime.Task, log *fanOut) (output, event.Outcome, error) {
	if err := os.MkdirAll(filepath.Join(t.Run.Dir, "roots"), 0o755); err != nil {
		return output{}, event.Outcome{}, err
	}
	if known, ok := x.recall(t.Run, t.Node.NixBuild.Installable); ok {
		fmt.Fprintf(log, "pikaci: %s is %s, as in %s: no call of nix\n", t.Node.NixBuild.Installable, known.StorePath, known.Root)
		holder, err := filepath.Rel(filepath.Join(t.Run.Dir, "roots"), filepath.Join(t.Run.StateRoot, known.Root))
		if err == nil {
			err = link(holder, filepath.Join(t.Run.Dir, rootPath(t.Node.ID)))
		}
		return known, event.Outcome{Verdict: event.Passed}, err
	}
	// Nix replaces no link but one into the store: not one that leads to the
	// root of another run, which a process of this run made that was killed.
	if err := os.Remove(filepath.Join(t.Run.Dir, rootPath(t.Node.ID))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return output{}, event.Outcome{}, err
	}
	built, out, err := x.call(ctx, t, log)
	if err != nil || out.Verdict != event.Passed {
		return output{}, out, err
	}
	o, err := x.inspect(t.Run.Dir, built)
	if err != nil {
		return output{}, event.Outcome{Verdict: event.Failed, Failure: event.Prepare, Reason: err.Error()}, nil
	}
	if o.Root, err = filepath.Rel(t.Run.StateRoot, filepath.Join(t.Run.Dir, rootPath(t.Node.ID))); err == nil {
		err = x.remember(t, o)
	}
	if err != nil {
		fmt.Fprintf(log, "pikaci: remember %s for later runs: %v\n", built, err)
	}
	return o, out, nil
}

// call calls Nix to build and returns the store path.
func (x *Executor) call(ctx context.Context, t runtime.Task, log *fanOut) (string, event.Outcome, error) {
	if err := t.Run.NeedSnapshot(ctx); err != nil {
		return "", event.Outcome{}, err
	}
	drv, err := x.derivation(ctx, t, log)
	if err != nil {
		return "", event.Outcome{}, err
	}
	argv := x.Command(t.Node)
	if still(drv) {
		argv = x.realise(t.Node, drv)
	}
	fmt.Fprintf(log, "pikaci: %s\n", shellQuoted(argv))
	last := &lastError{next: log}
	if err := command(ctx, t.Run.Dir, argv, nil, last); err != nil {
		var exit *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return "", event.Outcome{}, context.Cause(ctx)
		case errors.As(err, &exit):
			return "", event.Outcome{Verdict: event.Failed, Failure: event.Prepare,
				Reason: last.reason(t.Node.NixBuild.Installable, exit)}, nil
		case errors.Is(err, exec.ErrNotFound):
			return "", event.Outcome{}, &MissingError{x.options.Program}
		}
		return "", event.Outcome{}, fmt.Errorf("run nix build: %w", err)
	}
	built, err := os.Readlink(filepath.Join(t.Run.Dir, rootPath(t.Node.ID)))
	if err != nil {
		return "", event.Outcome{}, fmt.Errorf("nix build left no link to its output: %w", err)
	}
	return built, event.Outcome{Verdict: event.Passed}, nil
}

// command runs argv in dir. When ctx ends, its process group gets TERM, and
// KILL after a while: Nix ends cleanly on the first.
func command(ctx context.Context, dir string, argv []string, stdout, stderr interface{ Write([]byte) (int, error) }) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	if stdout != nil {
		cmd.Stdout = stdout
	}
	cmd.Stderr = stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	err := cmd.Run()
	if ctx.Err() != nil && cmd.Process != nil {
		// What outlived its leader: builders of a nix that was killed.
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	return err
}

// expose links the output into each job's folder, with the list of the store
// paths that it needs to run beside it, and reads its manifest.
func expose(t runtime.Task, built output) (*event.PayloadReady, error) {
	manifest, err := payload.ReadManifest(built.StorePath)
	if err != nil {
		return nil, err
	}
	ready := &event.PayloadReady{Node: t.Node.ID, OutputName: t.Node.NixBuild.OutputName,
		Installable: t.Node.NixBuild.Installable, StorePath: built.StorePath,
		Bytes: built.Bytes, ClosureBytes: built.ClosureBytes, Manifest: manifest}
	for _, j := range t.Jobs {
		for _, s := range j.Job.StagedPayloads {
			if s.PrepareNodeID != t.Node.ID {
				continue
			}
			at := filepath.Join(t.Run.Dir, s.LocalMountPath)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				return nil, err
			}
			if err := os.WriteFile(payload.ClosurePath(at), []byte(built.Closure), 0o644); err != nil {
				return nil, err
			}
			if err := link(built.StorePath, at); err != nil {
				return nil, err
			}
			ready.Exposures = append(ready.Exposures, event.Exposure{Job: j.Job.ID, Path: s.LocalMountPath})
		}
	}
	return ready, nil
}

// link makes a symlink, in place of one that a process of this run made which
// was killed.
func link(to, at string) error {
	err := os.Symlink(to, at)
	if errors.Is(err, fs.ErrExist) {
		if err = os.Remove(at); err == nil {
			err = os.Symlink(to, at)
		}
	}
	return err
}

// shellQuoted is argv as a person can paste it.
func shellQuoted(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !strings.ContainsRune(plainWord, r) }) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words[i] = word
	}
	return strings.Join(words, " ")
}

// plainWord are characters that no shell takes for more than themselves.
const plainWord = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,:/=+@%"
