package nix

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/internal/dirlock"
	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
)

// The state root keeps rendered environments of development shells:
//
//	devshells/<name of the derivation>/env.json  the environment
//	devshells/<name of the derivation>/profile   holds what it names in the store
//	devshells/<name of the derivation>/lock      shared by the runs that have it
//	devshells/of-<key>                           the derivation of a snapshot's shell

// shellOf begins the names of those.
const shellOf = "of-"

// shells are those of a run, each rendered once.
type shells struct {
	mu    sync.Mutex
	known map[string]map[string]string
	// held keep the renderings from being removed until the process ends: jobs
	// have what they name in the store.
	held []*dirlock.Lock
}

// DevShell gives the environment of a development shell of the snapshot's flake:
// the variables that it exports, without those of the build that made it. Its
// shellHook is not run. A shell that can't be made is an outcome that says why.
func (x *Executor) DevShell(ctx context.Context, run *runtime.RunContext, shell string, log io.Writer) (map[string]string, event.Outcome, error) {
	x.shells.mu.Lock() // a second job waits for the first one's answer
	defer x.shells.mu.Unlock()
	if ctx.Err() != nil {
		return nil, event.Outcome{}, context.Cause(ctx)
	}
	if env, ok := x.shells.known[shell]; ok {
		return env, event.Outcome{Verdict: event.Passed}, nil
	}
	env, err := x.devShell(ctx, run, shell, log)
	var broken *EvalError
	switch {
	case ctx.Err() != nil:
		return nil, event.Outcome{}, context.Cause(ctx)
	case errors.As(err, &broken):
		return nil, event.Outcome{Verdict: event.Failed, Failure: event.Prepare,
			Reason: fmt.Sprintf("nix print-dev-env %s%s: %s", ofSnapshot, shell, broken.Reason)}, nil
	case err != nil:
		return nil, event.Outcome{}, fmt.Errorf("make the development shell %s: %w", shell, err)
	}
	if x.shells.known == nil {
		x.shells.known = make(map[string]map[string]string)
	}
	x.shells.known[shell] = env
	return env, event.Outcome{Verdict: event.Passed}, nil
}

// ShellDerivation is the derivation of a development shell of the snapshot's
// flake.
func (x *Executor) ShellDerivation(ctx context.Context, run *runtime.RunContext, shell string) (string, error) {
	x.shells.mu.Lock()
	defer x.shells.mu.Unlock()
	of := x.shellKey(run, shell)
	if drv := notedShell(of); drv != "" {
		return drv, nil
	}
	if err := run.NeedSnapshot(ctx); err != nil {
		return "", err
	}
	drv, err := x.evalShell(ctx, run, shell)
	if err != nil {
		return "", fmt.Errorf("the development shell %s: %w", shell, err)
	}
	return drv, noteShell(of, drv)
}

// notedShell is the derivation that is known of a snapshot's shell, or empty.
func notedShell(of string) string {
	b, err := os.ReadFile(of)
	if err != nil || !strings.HasSuffix(string(b), ".drv") {
		return ""
	}
	return string(b)
}

func (x *Executor) evalShell(ctx context.Context, run *runtime.RunContext, shell string) (string, error) {
	b, err := x.tell(ctx, run.Dir, io.Discard, "eval", "--raw", ofSnapshot+"devShells."+system()+"."+shell+".drvPath")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(b)), nil
}

func (x *Executor) devShell(ctx context.Context, run *runtime.RunContext, shell string, log io.Writer) (map[string]string, error) {
	of := x.shellKey(run, shell)
	drv := notedShell(of)
	if drv == "" {
		// What is wrong with the shell, print-dev-env says below.
		drv, _ = x.evalShell(ctx, run, shell)
	}
	dir := filepath.Join(shellsDir(run.StateRoot), filepath.Base(drv))
	if drv != "" {
		if err := x.holdShell(dir); err != nil {
			return nil, err
		}
	}
	if env, ok := rendered(dir); drv != "" && ok {
		fmt.Fprintf(log, "pikaci: the development shell %s is %s, which was rendered before\n", shell, drv)
		return env, noteShell(of, drv)
	}
	args := []string{"print-dev-env", "--json"}
	if drv != "" {
		args = append(args, "--profile", filepath.Join(dir, "profile"))
	}
	fmt.Fprintf(log, "pikaci: nix %s %s%s\n", strings.Join(args, " "), ofSnapshot, shell)
	answer, err := x.tell(ctx, run.Dir, log, append(args, ofSnapshot+shell)...)
	if err != nil {
		return nil, err
	}
	env, err := exported(answer)
	if err != nil || drv == "" {
		return env, err
	}
	b, err := json.Marshal(env)
	if err == nil {
		err = atomicfile.Write(filepath.Join(dir, "env.json"), b, 0o644)
	}
	return env, errors.Join(err, noteShell(of, drv))
}

// holdShell makes the folder of a rendering and keeps it from being removed.
func (x *Executor) holdShell(dir string) error {
	l, err := dirlock.Take(dir, true)
	if errors.Is(err, dirlock.ErrBusy) {
		// It is being removed at this moment.
		err = errors.Join(errors.New("its rendering is being removed; try again"), l.Release())
	}
	if err == nil {
		x.shells.held = append(x.shells.held, l)
		err = l.Touch()
	}
	return err
}

// shellKey is the file that says which derivation a snapshot's shell is; empty
// where nothing is known of the snapshot.
func (x *Executor) shellKey(run *runtime.RunContext, shell string) string {
	if run.SnapshotHash == "" {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q", run.SnapshotHash, shell)
	for _, name := range sortedKeys(x.options.Settings) {
		fmt.Fprintf(h, " %q=%q", name, x.options.Settings[name])
	}
	return filepath.Join(shellsDir(run.StateRoot), shellOf+hex.EncodeToString(h.Sum(nil)))
}

func noteShell(of, drv string) error {
	if of == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(of), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(of, []byte(drv), 0o644)
}

// rendered is an environment that was rendered of the same derivation. Its
// profile keeps what it names from being collected.
func rendered(dir string) (map[string]string, bool) {
	if _, err := os.Stat(filepath.Join(dir, "profile")); err != nil {
		return nil, false
	}
	b, err := os.ReadFile(filepath.Join(dir, "env.json"))
	var env map[string]string
	return env, err == nil && json.Unmarshal(b, &env) == nil && env != nil
}

// ofTheBuild are exported variables that belong to the build which rendered the
// shell, or to the machine: nix develop leaves them alone, too.
var ofTheBuild = []string{"HOME", "NIX_BUILD_TOP", "NIX_ENFORCE_PURITY", "NIX_LOG_FD", "NIX_REMOTE", "OLDPWD", "PPID", "PWD",
	"SHELL", "SHLVL", "SSL_CERT_FILE", "TEMP", "TEMPDIR", "TERM", "TMP", "TMPDIR", "TZ", "UID"}

// exported are the variables that print-dev-env says are exported.
func exported(answer []byte) (map[string]string, error) {
	var told struct {
		Variables map[string]struct {
			Type  string
			Value json.RawMessage
		}
	}
	if err := json.Unmarshal(answer, &told); err != nil || told.Variables == nil {
		return nil, fmt.Errorf("read what nix print-dev-env says: %.200q: %w", answer, err)
	}
	env := make(map[string]string)
	for name, v := range told.Variables {
		var value string
		if v.Type == "exported" && json.Unmarshal(v.Value, &value) == nil && !strings.ContainsRune(value, 0) {
			env[name] = value
		}
	}
	maps.DeleteFunc(env, func(name, _ string) bool {
		return slices.Contains(ofTheBuild, name) || strings.ContainsAny(name, "=\x00")
	})
	return env, nil
}
