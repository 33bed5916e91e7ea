package host_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

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
