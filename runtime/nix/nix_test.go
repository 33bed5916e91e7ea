package nix_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/payload"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// flake has outputs that say when they are built, fail, wait, or hold a
// manifest. The nonce makes every test's outputs new.
const flake = `{
  outputs = { self }: let
    sh = name: script: builtins.derivation {
      inherit name; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
      args = [ "-euc" script ]; nonce = "%s";
    };
    good = sh "good" "echo building good; mkdir -p $out/bin; echo hi > $out/bin/hi";
  in {
    inherit good;
    bad = sh "bad" "echo about to fail; exit 3";
    selfish = sh "selfish" "mkdir $out; echo $out > $out/me";
    needy = builtins.derivation { name = "needy"; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
      args = [ "-euc" "mkdir $out; echo $good > $out/need" ]; inherit good; };
    slow = sh "slow" "echo begun; sleep 60; touch $out";
    slowish = sh "slowish" "echo begun; sleep 1; mkdir $out";
    badmanifest = sh "badmanifest" "mkdir -p $out/share/pikaci; echo '{\"schema_version\": 9}' > $out/share/pikaci/payload-manifest.json";
  };
}
`

var settings = map[string]string{"sandbox": "false", "build-users-group": "", "substituters": ""}

// bench is one run directory with its flake, and the jobs in it.
type bench struct {
	t   *testing.T
	run runtime.RunContext
	mu  sync.Mutex
	got []event.Event
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, run: runtime.RunContext{ID: "r", Dir: t.TempDir()}}
	b.run.Snapshot = filepath.Join(b.run.Dir, "snapshot")
	if err := os.Mkdir(b.run.Snapshot, 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(flake, fmt.Sprint(rand.Uint64()))
	if err := os.WriteFile(filepath.Join(b.run.Snapshot, "flake.nix"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

// task is a node that builds attr for a job of its own.
func (b *bench) task(node, attr string) (runtime.Task, *runtimetest.Log) {
	installable := "path:snapshot#" + attr
	job := "job-" + node
	l := new(runtimetest.Log)
	j := &runtime.JobContext{RunContext: &b.run, Logs: runtime.Logs{Host: l}, Dir: filepath.Join(b.run.Dir, "jobs", job),
		Job: &plan.Job{ID: job, StagedPayloads: []plan.StagedPreparedPayload{{
			PrepareNodeID: node, Installable: installable, OutputName: attr, Role: "r",
			LocalMountPath: "jobs/" + job + "/staged-linux-rust/r"}}}}
	return runtime.Task{Run: &b.run, Jobs: []*runtime.JobContext{j},
		Node: &plan.Node{ID: node, NixBuild: &plan.NixBuild{Installable: installable, OutputName: attr}},
		Emit: func(e event.Event) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.got = append(b.got, e)
			return nil
		}}, l
}

func (b *bench) ready() (list []*event.PayloadReady) {
	for _, e := range b.got {
		if e.PayloadReady != nil {
			list = append(list, e.PayloadReady)
		}
	}
	return list
}

func TestABuildIsLinkedHeldAndDescribed(t *testing.T) {
	b := newBench(t)
	task, l := b.task("prepare-good", "good")
	out, err := nix.New(nix.Options{Settings: settings}).Execute(t.Context(), task)
	if err != nil || out.Verdict != event.Passed {
		t.Fatalf("%+v, %v\n%s", out, err, l)
	}
	ready := b.ready()
	if len(ready) != 1 || !strings.HasPrefix(ready[0].StorePath, "/nix/store/") || ready[0].Manifest != nil {
		t.Fatalf("%+v", ready)
	}
	link := filepath.Join(b.run.Dir, "jobs/job-prepare-good/staged-linux-rust/r")
	if to, _ := os.Readlink(link); to != ready[0].StorePath {
		t.Errorf("link leads to %q", to)
	}
	if root, _ := os.Readlink(filepath.Join(b.run.Dir, "roots/prepare-good")); root != ready[0].StorePath {
		t.Errorf("root leads to %q", root)
	}
	closure, _ := os.ReadFile(payload.ClosurePath(link))
	if len(closure) > 0 {
		t.Errorf("closure of an output that needs nothing: %q", closure)
	}
	if !strings.Contains(l.String(), "building good") {
		t.Errorf("log: %s", l)
	}
}

func TestAClosureNamesTheOutputItselfOnlyWhereSomethingRefersToIt(t *testing.T) {
	for attr, lines := range map[string]int{"selfish": 1, "needy": 1} {
		b := newBench(t)
		task, l := b.task("n", attr)
		out, err := nix.New(nix.Options{Settings: settings}).Execute(t.Context(), task)
		if err != nil || out.Verdict != event.Passed {
			t.Fatalf("%+v, %v\n%s", out, err, l)
		}
		closure, _ := os.ReadFile(payload.ClosurePath(filepath.Join(b.run.Dir, "jobs/job-n/staged-linux-rust/r")))
		self := strings.Contains(string(closure), b.ready()[0].StorePath+"\n")
		if strings.Count(string(closure), "\n") != lines || self != (attr == "selfish") {
			t.Errorf("%s: %q", attr, closure)
		}
		if r := b.ready()[0]; r.Bytes <= 0 || (r.ClosureBytes > r.Bytes) != (attr == "needy") {
			t.Errorf("%s: %d bytes, with all that it needs %d", attr, r.Bytes, r.ClosureBytes)
		}
	}
}

func TestAFailedBuildIsAnOutcomeThatSaysWhy(t *testing.T) {
	for attr, want := range map[string]string{
		"bad":         "failed with exit code 3",
		"nosuch":      "nosuch",
		"badmanifest": "schema_version is 9: this pikaci reads version 1",
	} {
		t.Run(attr, func(t *testing.T) {
			b := newBench(t)
			task, l := b.task("n", attr)
			out, err := nix.New(nix.Options{Settings: settings}).Execute(t.Context(), task)
			if err != nil || out.Verdict != event.Failed || out.Failure != event.Prepare || !strings.Contains(out.Reason, want) {
				t.Errorf("%+v, %v\n%s", out, err, l)
			}
		})
	}
}

func TestOneInstallableIsBuiltOnceAndBothJobsSeeItsLog(t *testing.T) {
	b := newBench(t)
	x := nix.New(nix.Options{Settings: settings})
	first, l1 := b.task("one", "slowish")
	second, l2 := b.task("two", "slowish")
	var wg sync.WaitGroup
	for _, task := range []runtime.Task{first, second} {
		wg.Go(func() {
			if out, err := x.Execute(t.Context(), task); err != nil || out.Verdict != event.Passed {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
	wg.Wait()
	ready := b.ready()
	if len(ready) != 2 || ready[0].StorePath != ready[1].StorePath {
		t.Fatalf("%+v", ready)
	}
	both := l1.String() + l2.String()
	if strings.Count(both, "begun") != 2 || strings.Count(both, "pikaci: nix") != 2 {
		t.Errorf("logs: %s", both)
	}
}

func TestCancelEndsTheBuildAtOnce(t *testing.T) {
	b := newBench(t)
	task, l := b.task("n", "slow")
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for !strings.Contains(l.String(), "begun") {
			time.Sleep(10 * time.Millisecond)
		}
		cancel(why) // the log is streamed: it was seen before the build's end
	}()
	start := time.Now()
	_, err := nix.New(nix.Options{Settings: settings}).Execute(ctx, task)
	if !errors.Is(err, why) || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestNixThatIsMissingIsAnErrorWithAHint(t *testing.T) {
	b := newBench(t)
	task, _ := b.task("n", "good")
	x := nix.New(nix.Options{Program: "nosuchnix"})
	_, err := x.Execute(t.Context(), task)
	var missing *nix.MissingError
	if !errors.As(err, &missing) || missing.Hint() == "" || x.Preflight() == nil {
		t.Errorf("%v", err)
	}
}
