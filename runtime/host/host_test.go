package host_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/host"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// bench is a run directory with a snapshot and one host job.
type bench struct {
	t      *testing.T
	x      *host.Executor
	job    *runtime.JobContext
	out    *runtimetest.Log
	mu     sync.Mutex
	events []event.Event
}

func newBench(t *testing.T) *bench {
	run := runtime.NewRunContext(t.TempDir(), "run", "/nowhere")
	if err := os.MkdirAll(filepath.Join(run.Snapshot, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(run.Snapshot, "hello"), []byte("hi\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, out: new(runtimetest.Log), x: host.New(host.Options{PassEnv: []string{"PASSED", "ABSENT"},
		LookupEnv: func(name string) (string, bool) {
			v, ok := map[string]string{"PATH": "/usr/bin:/bin", "PASSED": "on", "KEPT": "back"}[name]
			return v, ok
		}})}
	b.job = &runtime.JobContext{RunContext: &run, Job: &plan.Job{ID: "job", TimeoutSecs: 60}, Lane: &plan.Lane{ID: "lane"},
		Dir: filepath.Join(run.Dir, "jobs", "job"), Logs: runtime.Logs{Host: new(runtimetest.Log), Stdout: b.out, Stderr: b.out},
		Limits: runtime.Limits{ArtifactBytes: 1 << 20, ArtifactFiles: 10}}
	return b
}

func (b *bench) task(script string) runtime.Task {
	return runtime.Task{Attempt: 1, Run: b.job.RunContext, Jobs: []*runtime.JobContext{b.job},
		Node: &plan.Node{ID: "execute-job", HostCommand: &plan.HostCommand{Job: "job", Command: []string{"bash", "-c", script}}},
		Emit: func(e event.Event) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
			return nil
		}}
}

func (b *bench) run(script string) event.Outcome {
	b.t.Helper()
	out, err := b.x.Execute(b.t.Context(), b.task(script))
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.out)
	}
	return out
}

// left are what the job's folder still holds of its scratch.
func (b *bench) left() []string {
	left, _ := filepath.Glob(filepath.Join(b.job.Dir, "scratch*"))
	return left
}

func TestConformance(t *testing.T) {
	runtimetest.Conformance(t, func(t *testing.T, how runtimetest.Behaviour) runtimetest.Trial {
		b := newBench(t)
		script := map[runtimetest.Behaviour]string{runtimetest.PassesSoon: "true", runtimetest.FailsSoon: "exit 3",
			runtimetest.CantBe: "true", runtimetest.Blocks: "echo begun; sleep 600"}[how]
		if how == runtimetest.CantBe {
			if err := os.RemoveAll(b.job.Snapshot); err != nil {
				t.Fatal(err)
			}
		}
		return runtimetest.Trial{Executor: b.x, Task: b.task(script), TakeBack: b.left,
			Began: func() bool { return strings.Contains(b.out.String(), "begun") }}
	})
}

func TestAJobHasItsOwnCopyOfTheSnapshot(t *testing.T) {
	b := newBench(t)
	b.job.Job.WorkingDir = "dir"
	if out := b.run("cat ../hello; echo more >> ../hello; touch new; rm -r ../dir"); out.Verdict != event.Passed || b.out.String() != "hi\n" {
		t.Fatalf("%+v %s", out, b.out)
	}
	if h, _ := os.ReadFile(filepath.Join(b.job.Snapshot, "hello")); string(h) != "hi\n" {
		t.Errorf("the snapshot's file is now %q", h)
	}
	if _, err := os.Stat(filepath.Join(b.job.Snapshot, "dir")); err != nil {
		t.Error(err)
	}
	if left := b.left(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestAJobsEnvironmentIsWhatItIsGiven(t *testing.T) {
	t.Setenv("LEAKED", "yes")
	b := newBench(t)
	b.job.Job.Env, b.job.Secrets = map[string]string{"OWN": "1"}, map[string]string{"TOKEN": "s3cret"}
	b.run(`touch "$HOME/x" "$PIKACI_ARTIFACTS/y" && unset HOME PIKACI_ARTIFACTS PWD SHLVL _ && env | sort`)
	want := []string{"CI=true", "OWN=1", "PASSED=on", "PATH=/usr/bin:/bin", "PIKACI_JOB=job", "PIKACI_LANE=lane",
		"PIKACI_RUN_ID=run", "TOKEN=s3cret", "_=/usr/bin/env"}
	if got := strings.Fields(b.out.String()); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestArtifactsComeBackOnFailureToo(t *testing.T) {
	b := newBench(t)
	b.job.Job.Artifacts = []string{"*.log"}
	if out := b.run(`cd $PIKACI_ARTIFACTS; echo 1 > a.log; echo 2 > b.bin; ln -s /etc/passwd c.log; exit 1`); out.Failure != event.Test {
		t.Errorf("%+v", out)
	}
	list, _ := os.ReadDir(b.job.ArtifactsDir())
	if len(list) != 1 || list[0].Name() != "a.log" {
		t.Errorf("kept %v", list)
	}
}

func TestSetupRunsInTheSourceTreeWithTheHostsEnvironment(t *testing.T) {
	t.Setenv("OF_THE_HOST", "yes")
	dir := t.TempDir()
	out := new(runtimetest.Log)
	err := host.Setup(t.Context(), dir, []string{"sh", "-c", "echo $OF_THE_HOST; pwd >&2"}, out)
	if err != nil || !strings.Contains(out.String(), "yes\n") || !strings.Contains(out.String(), dir+"\n") {
		t.Errorf("%v, %q", err, out)
	}
	for script, want := range map[string]string{"exit 3": "exit code 3", "kill -KILL $$": "killed by SIGKILL"} {
		if err := host.Setup(t.Context(), dir, []string{"sh", "-c", script}, out); err == nil || err.Error() != want {
			t.Errorf("%s: %v", script, err)
		}
	}
	if err := host.Setup(t.Context(), dir, []string{"nosuchprogram"}, out); err == nil {
		t.Error("a program that is not there was run")
	}
}

// cached makes the job one of a lane that keeps its workspace.
func (b *bench) cached() *bench {
	b.job.Job.HostCache = true
	return b
}

// next is a later run of the same lane, whose snapshot holds other files too.
func (b *bench) next(id string, files map[string]string) *bench {
	n := newBench(b.t).cached()
	run := runtime.NewRunContext(b.job.StateRoot, id, "/nowhere")
	if err := os.CopyFS(run.Snapshot, os.DirFS(n.job.Snapshot)); err != nil {
		b.t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(run.Snapshot, name), []byte(text), 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	n.job.RunContext, n.job.Dir = &run, filepath.Join(run.Dir, "jobs", "job")
	return n
}

func TestALaneKeepsItsWorkspaceAndItsCache(t *testing.T) {
	b := newBench(t).cached()
	if out := b.run(`cp hello built; touch -d 2020-01-01 hello built; echo 1 >$PIKACI_CACHE/kept; echo spoiled >dir/x`); out.Verdict != event.Passed {
		t.Fatalf("%+v %s", out, b.out)
	}
	n := b.next("second", map[string]string{"more": "new\n"})
	n.run(`cat $PIKACI_CACHE/kept more built; stat -c %y hello | cut -c 1-10; rm -r hello`)
	if got := n.out.String(); got != "1\nnew\nhi\n2020-01-01\n" {
		t.Errorf("the second run saw %q", got)
	}
	third := b.next("third", nil)
	third.run(`cat hello; ls; cat $PIKACI_ARTIFACTS/* 2>/dev/null; ls $HOME`)
	if got := third.out.String(); got != "hi\nbuilt\ndir\nhello\n" {
		t.Errorf("the third run saw %q", got)
	}
	other := b.next("fourth", nil)
	other.job.Lane = &plan.Lane{ID: "other"}
	other.run(`ls; ls $PIKACI_CACHE`)
	if got := other.out.String(); got != "dir\nhello\n" {
		t.Errorf("another lane saw %q", got)
	}
}

// await returns when the log has the words.
func await(t *testing.T, log *runtimetest.Log, words string) {
	t.Helper()
	for began := time.Now(); !strings.Contains(log.String(), words); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("no %q in:\n%s", words, log)
		}
	}
}

func TestOneJobHasALanesCacheAtATime(t *testing.T) {
	b := newBench(t).cached()
	n := b.next("second", nil)
	release, by, err := b.x.Hold(b.job)
	if release == nil || err != nil {
		t.Fatal(by, err)
	}
	if again, by, err := n.x.Hold(n.job); again != nil || by != "job job of run run" || err != nil {
		t.Errorf("held twice: by %q, %v", by, err)
	}
	if _, err := n.x.Execute(t.Context(), n.task("true")); err == nil || err.Error() != "copy the snapshot for the job: job job of run run has the cache of lane lane" {
		t.Errorf("without a hold: %v", err)
	}
	// The hold is for all attempts.
	for range 2 {
		if out := b.run("echo more >>order; cat order >&2"); out.Verdict != event.Passed {
			t.Fatalf("%+v", out)
		}
	}
	if again, _, _ := n.x.Hold(n.job); again != nil {
		t.Error("it is free before its release")
	}
	release()
	mine, by, err := n.x.Hold(n.job)
	if mine == nil || err != nil {
		t.Fatal(by, err)
	}
	n.run("cat order")
	mine()
	if n.out.String() != "more\nmore\n" {
		t.Errorf("the next job saw %q", n.out)
	}
	b.next("third", nil).run("true") // it holds it itself
}

// A hold of a job that was not begun leaves the name of a killed one there.
func TestAHoldThatIsNotUsedHidesNoKilledJob(t *testing.T) {
	b := newBench(t).cached()
	name := filepath.Join(b.job.StateRoot, "caches/lane/lock")
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	const dead = `{"Run":"dead","Job":"old"}`
	if err := os.WriteFile(name, []byte(dead), 0o644); err != nil {
		t.Fatal(err)
	}
	release, _, err := b.x.Hold(b.job)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if got, err := os.ReadFile(name); string(got) != dead {
		t.Errorf("the lock says %q, %v", got, err)
	}
}

func TestACacheOfAKilledRunIsTakenOverAndItsJobEnded(t *testing.T) {
	b := newBench(t).cached()
	dir := filepath.Join(b.job.StateRoot, "caches", "lane")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lock"), []byte(`{"Run":"dead","Job":"old"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	left := exec.Command("sleep", "605")
	left.Env = append(os.Environ(), "PIKACI_ARTIFACTS="+filepath.Join(b.job.StateRoot, "runs/dead/jobs/old/scratch/artifacts"))
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	defer left.Process.Kill()
	b.run("true")
	if err := left.Wait(); err == nil || left.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the old job ended by %v", err)
	}
}

func TestADamagedListOfAKeptWorkspaceBeginsItAnew(t *testing.T) {
	b := newBench(t).cached()
	b.run("touch built")
	if err := os.WriteFile(filepath.Join(b.job.StateRoot, "caches/lane/files.json"), []byte(`["he`), 0o644); err != nil {
		t.Fatal(err)
	}
	n := b.next("second", nil)
	n.run("ls")
	if n.out.String() != "dir\nhello\n" {
		t.Errorf("%q", n.out)
	}
}

func TestADevelopmentShellStandsBehindTheJobsOwnEnvironment(t *testing.T) {
	b := newBench(t)
	b.job.Job.DevShell, b.job.Job.Env = "default", map[string]string{"OWN": "job"}
	give := func(env map[string]string, out event.Outcome) {
		b.x = host.New(host.Options{LookupEnv: func(name string) (string, bool) { return "/usr/bin:/bin", name == "PATH" },
			DevShell: func(_ context.Context, run *runtime.RunContext, shell string, _ io.Writer) (map[string]string, event.Outcome, error) {
				if run != b.job.RunContext || shell != "default" {
					t.Errorf("asked for %s of %+v", shell, run)
				}
				return env, out, nil
			}})
	}
	give(map[string]string{"PATH": "/nix/tools", "OWN": "shell", "HOME": "/nowhere", "CC": "gcc", "PIKACI_LANE": "x"}, event.Outcome{Verdict: event.Passed})
	b.run(`echo $PATH $OWN $CC $PIKACI_LANE; touch $HOME/x`)
	if got := b.out.String(); got != "/nix/tools:/usr/bin:/bin job gcc lane\n" {
		t.Errorf("got %q", got)
	}
	why := event.Outcome{Verdict: event.Failed, Failure: event.Prepare, Reason: "no such shell"}
	give(nil, why)
	if out := b.run("true"); out.Reason != why.Reason || out.Failure != event.Prepare {
		t.Errorf("%+v", out)
	}
}
