package nix_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/nix"
)

// counted is a nix that notes its calls in a file, and begins with script.
func counted(t *testing.T, script string) (program string, calls func(verb string) int) {
	t.Helper()
	dir := t.TempDir()
	program = filepath.Join(dir, "nix")
	text := "#!/bin/sh\necho \"$3 $4\" >>" + dir + "/calls\n" + script + "\nexec nix \"$@\"\n"
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return program, func(verb string) int {
		b, _ := os.ReadFile(filepath.Join(dir, "calls"))
		return strings.Count("\n"+string(b), "\n"+verb+" ")
	}
}

func installables(attrs []string) (list []string) {
	for _, a := range attrs {
		list = append(list, "path:snapshot#"+a)
	}
	return list
}

// all builds the attributes at one time and gives the outcomes in their order.
func (b *bench) all(x *nix.Executor, attrs []string) []event.Outcome {
	outs := make([]event.Outcome, len(attrs))
	var wg sync.WaitGroup
	for i, attr := range attrs {
		task, log := b.task("n"+attr, attr)
		wg.Go(func() {
			var err error
			if outs[i], err = x.Execute(b.t.Context(), task); err != nil {
				b.t.Errorf("%s: %v\n%s", attr, err, log)
			}
		})
	}
	wg.Wait()
	return outs
}

func TestOneEvaluationServesAllNodesAndChangesNothing(t *testing.T) {
	attrs := []string{"good", "needy", "bad", "nosuch", "badmanifest"}
	b := newBench(t)
	program, calls := counted(t, "")
	got := b.all(nix.New(nix.Options{Program: program, Settings: settings, Installables: installables(attrs)}), attrs)
	// What is missing is left to nix build, for its words.
	if calls("flake") != 1 || calls("eval") != 1 || calls("build") != 1 {
		t.Errorf("%d, %d and %d calls of nix flake, eval and build", calls("flake"), calls("eval"), calls("build"))
	}
	alone := newBench(t)
	if err := os.CopyFS(alone.run.Snapshot+"2", os.DirFS(b.run.Snapshot)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(alone.run.Snapshot), os.Rename(alone.run.Snapshot+"2", alone.run.Snapshot)); err != nil {
		t.Fatal(err)
	}
	if want := alone.all(nix.New(nix.Options{Settings: settings}), attrs); !slices.EqualFunc(got, want, equal) {
		t.Errorf("together %+v,\nalone %+v", got, want)
	}
	paths := make(map[string]string)
	for _, r := range alone.ready() {
		paths[r.Node] = r.StorePath
	}
	for _, r := range b.ready() {
		root, _ := os.Readlink(filepath.Join(b.run.Dir, "roots", r.Node))
		if r.StorePath != paths[r.Node] || root != r.StorePath {
			t.Errorf("%s is %s, held as %s, and alone %s", r.Node, r.StorePath, root, paths[r.Node])
		}
	}
	if len(b.ready()) != 2 || len(paths) != 2 {
		t.Errorf("%d and %d outputs", len(b.ready()), len(paths))
	}
}

func equal(a, b event.Outcome) bool {
	return a.Verdict == b.Verdict && a.Failure == b.Failure && a.Reason == b.Reason
}

func TestWhatFailsTheWholeEvaluationFailsItsOwnNodeOnly(t *testing.T) {
	b := newBench(t)
	flake := filepath.Join(b.run.Snapshot, "flake.nix")
	text, err := os.ReadFile(flake)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "inherit good;\n", "inherit good; hopeless = builtins.abort \"no way\";\n", 1)
	if err := os.WriteFile(flake, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	attrs := []string{"good", "hopeless"}
	got := b.all(nix.New(nix.Options{Settings: settings, Installables: installables(attrs)}), attrs)
	if got[0].Verdict != event.Passed || got[1].Failure != event.Prepare || !strings.Contains(got[1].Reason, "no way") {
		t.Errorf("%+v", got)
	}
}

func TestWhatIsKnownIsNotEvaluated(t *testing.T) {
	origin := newBench(t)
	origin.run.StateRoot = t.TempDir()
	attrs := []string{"good", "needy"}
	program, calls := counted(t, "")
	options := nix.Options{Program: program, Settings: settings, Installables: installables(attrs)}
	origin.later("one", "h").all(nix.New(options), attrs[:1])
	if calls("eval") != 1 {
		t.Fatalf("%d evaluations", calls("eval"))
	}
	origin.later("two", "h").all(nix.New(options), attrs)
	if calls("eval") != 1 || calls("build") != 1 {
		t.Errorf("%d calls of nix eval, %d of nix build; want nix build alone for what is left", calls("eval"), calls("build"))
	}
}

func TestAnotherNodeEvaluatesWhereTheFirstWasStopped(t *testing.T) {
	b := newBench(t)
	gate := filepath.Join(t.TempDir(), "gate")
	program, calls := counted(t, `[ "$3" != flake ] || mkdir `+gate+` 2>/dev/null && [ "$3" = flake ] && sleep 60`)
	attrs := []string{"good", "needy"}
	x := nix.New(nix.Options{Program: program, Settings: settings, Installables: installables(attrs)})
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	first, _ := b.task("n1", "good")
	second, log := b.task("n2", "needy")
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := x.Execute(ctx, first); !errors.Is(err, why) {
			t.Errorf("the first: %v", err)
		}
	})
	for _, err := os.Stat(gate); err != nil; _, err = os.Stat(gate) {
		time.Sleep(5 * time.Millisecond)
	}
	wg.Go(func() {
		out, err := x.Execute(t.Context(), second)
		if err != nil || out.Verdict != event.Passed {
			t.Errorf("the second: %+v, %v\n%s", out, err, log)
		}
	})
	time.Sleep(50 * time.Millisecond)
	cancel(why)
	wg.Wait()
	if calls("flake") != 2 || calls("eval") != 1 {
		t.Errorf("%d calls of nix flake, %d of nix eval", calls("flake"), calls("eval"))
	}
}
