package nix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/schema/plan"
)

// evaluation is the one of a run's snapshot, under way or done: it gives the
// derivations of all the installables that the run will build.
type evaluation struct {
	done chan struct{}
	// drvs are the derivations by installable. One that is not there is
	// built by nix build, which says best what is wrong with it.
	drvs map[string]string
	// stopped means that the node that evaluated was stopped before the end:
	// another does it again.
	stopped bool
}

// evaluator shares the evaluation of a run's snapshot among its nodes.
type evaluator struct {
	mu  sync.Mutex
	now *evaluation
}

// ofSnapshot begins the installables that name the run's snapshot.
const ofSnapshot = "path:snapshot#"

// derivation is the derivation of the node's installable, or nothing where nix
// build must find it. The first to ask evaluates, for all.
func (x *Executor) derivation(ctx context.Context, t runtime.Task, log *fanOut) (string, error) {
	for {
		x.eval.mu.Lock()
		e := x.eval.now
		first := e == nil
		if first {
			e = &evaluation{done: make(chan struct{})}
			x.eval.now = e
		}
		x.eval.mu.Unlock()
		if first {
			e.drvs, e.stopped = x.evaluate(ctx, t, log)
			if e.stopped {
				x.eval.mu.Lock()
				x.eval.now = nil
				x.eval.mu.Unlock()
			}
			close(e.done)
		}
		select {
		case <-e.done:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if e.stopped {
			continue
		}
		drv := e.drvs[t.Node.NixBuild.Installable]
		if !first && drv != "" {
			fmt.Fprintf(log, "pikaci: %s is %s, by the run's one evaluation\n", t.Node.NixBuild.Installable, drv)
		}
		return drv, nil
	}
}

// evaluate asks Nix once for all installables of the run whose outputs are not
// known. Of one alone, nix build does the same in one call less.
func (x *Executor) evaluate(ctx context.Context, t runtime.Task, log *fanOut) (drvs map[string]string, stopped bool) {
	names := x.unknown(t)
	if len(names) < 2 {
		return nil, false
	}
	drvs, err := x.derivations(ctx, t.Run, names, log)
	switch {
	case ctx.Err() != nil:
		return nil, true
	case err != nil:
		fmt.Fprintf(log, "pikaci: the outputs can't be evaluated together, so each is by itself: %v\n", err)
	}
	return drvs, false
}

// unknown are the attributes of the snapshot that the run will build.
func (x *Executor) unknown(t runtime.Task) []string {
	var names []string
	for _, installable := range append([]string{t.Node.NixBuild.Installable}, x.options.Installables...) {
		name, ours := strings.CutPrefix(installable, ofSnapshot)
		if !ours || slices.Contains(names, name) {
			continue
		}
		if _, known := x.recall(t.Run, installable); !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// derivations evaluates names of the snapshot's flake, as purely as nix build
// does, to their derivations by installable.
func (x *Executor) derivations(ctx context.Context, run *runtime.RunContext, names []string, log *fanOut) (map[string]string, error) {
	fmt.Fprintf(log, "pikaci: evaluate %d outputs of the snapshot's flake at once: %s\n", len(names), strings.Join(names, ", "))
	// The locked name holds the tree's hash: with it Nix copies it no second time.
	answer, err := x.tell(ctx, run.Dir, log, "flake", "metadata", "--json", "--no-write-lock-file", "path:"+run.Snapshot)
	if err != nil {
		return nil, err
	}
	var locked struct{ URL string }
	if err := json.Unmarshal(answer, &locked); err != nil || locked.URL == "" {
		return nil, fmt.Errorf("read what nix flake metadata says: %q: %w", answer, err)
	}
	answer, err = x.tell(ctx, run.Dir, log, "eval", "--json", "--expr", derivationsOf(locked.URL, names))
	if err != nil {
		return nil, err
	}
	var found []*string
	if err := json.Unmarshal(answer, &found); err != nil || len(found) != len(names) {
		return nil, fmt.Errorf("read what nix eval says: %q: %w", answer, err)
	}
	drvs := make(map[string]string, len(names))
	for i, drv := range found {
		if drv != nil && strings.HasPrefix(*drv, "/") && strings.HasSuffix(*drv, ".drv") {
			drvs[ofSnapshot+names[i]] = *drv
		}
	}
	return drvs, nil
}

// tell runs nix, with what it says on stderr in the log, and gives its stdout.
func (x *Executor) tell(ctx context.Context, dir string, log io.Writer, args ...string) ([]byte, error) {
	var out bytes.Buffer
	last := &lastError{next: log}
	err := command(ctx, dir, x.base(args...), &out, last)
	if exit := new(exec.ExitError); errors.As(err, &exit) && last.last != "" {
		return nil, &EvalError{strings.TrimSpace(strings.TrimPrefix(last.last, "error:"))}
	}
	return out.Bytes(), err
}

// derivationsOf is a Nix expression: for each name its derivation, or null
// where nix build would not build just one output named out, or would fail.
func derivationsOf(url string, names []string) string {
	asked, _ := json.Marshal(names) // strings never fail
	return places(url) + `
  find = path: at:
    if path == [ ] then [ at ]
    else if builtins.isAttrs at && builtins.hasAttr (builtins.head path) at
    then find (builtins.tail path) (builtins.getAttr (builtins.head path) at)
    else [ ];
  plain = at: builtins.isAttrs at && (at.type or null) == "derivation"
    && (at.outputs or [ "out" ]) == [ "out" ] && (at.outputName or "out") == "out";
  told = found: if found != [ ] && plain (builtins.head found)
    then builtins.unsafeDiscardStringContext (builtins.head found).drvPath else null;
  safely = value: let tried = builtins.tryEval (builtins.deepSeq value value); in
    if tried.success then tried.value else null;
in
map (name: safely (told (builtins.concatMap (place: find (place ++ parts name) outputs) places)))
  (builtins.fromJSON ` + nixString(string(asked)) + `)
`
}

// realise is the argv that builds a derivation's output, with the same root and
// the same log as Command.
func (x *Executor) realise(node *plan.Node, drv string) []string {
	argv := []string{"nix-store", "--realise", drv + "!out", "--add-root", rootPath(node.ID), "--indirect",
		"--no-build-output", "--log-format", "bar-with-logs"}
	return x.set(argv)
}

// still says whether a derivation is in the store: nothing holds it there.
func still(drv string) bool {
	if drv == "" {
		return false
	}
	_, err := os.Lstat(drv)
	return err == nil
}
