package incus_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	client "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// These tests run against the Incus of this machine. There is none to skip
// for: scripts/setup brings one up.

// image is what scripts/setup makes.
const image = "pikaci/dev"

// connect is an executor of the local Incus that is ready for the jobs.
func connect(t testing.TB, socket string, jobs ...plan.Job) *incus.Executor {
	t.Helper()
	x, err := incus.New(context.Background(), incus.Options{Socket: socket, Project: "default"}, jobs...)
	if err != nil {
		t.Fatalf("%v\nrun scripts/setup: it brings up Incus and the image %s", err, image)
	}
	return x
}

// server is a plain client of the same Incus, to look at what the executor did.
func server(t testing.TB, socket string) client.InstanceServer {
	t.Helper()
	s, err := client.ConnectIncusUnix(socket, &client.ConnectionArgs{SkipGetEvents: true})
	if err != nil {
		t.Fatalf("%v\nrun scripts/setup", err)
	}
	return s.UseProject("default")
}

// bench is a run directory with one job in it.
type bench struct {
	t      testing.TB
	x      *incus.Executor
	socket string
	run    runtime.RunContext
	job    *runtime.JobContext
	out    *runtimetest.Log
	errs   *runtimetest.Log

	mu     sync.Mutex
	events []event.Event
	lease  *event.Lease
	// leftovers are what is still there, where the server is a fake one.
	leftovers func() []string
	// early: payloads are there before the instance is made, not after.
	early bool
}

// newBench makes a job for the local Incus; change may alter it first.
func newBench(t testing.TB, change func(*plan.Job)) *bench { return newBenchAt(t, "", change) }

func newBenchAt(t testing.TB, socket string, change func(*plan.Job)) *bench {
	t.Helper()
	run := runtime.NewRunContext(t.TempDir(), fmt.Sprintf("test-%x", rand.Uint64()), "/nowhere")
	job := plan.Job{ID: "job", Lane: "lane", User: 1000, WorkingDir: "/workspace/snapshot", TimeoutSecs: 60,
		Incus: &plan.Incus{Image: image, InstanceType: plan.Container, CPUs: 1, Memory: "512MiB",
			Profiles: []string{"default"}, Network: "none"}}
	if change != nil {
		change(&job)
	}
	b := &bench{t: t, socket: socket, run: run, out: new(runtimetest.Log), errs: new(runtimetest.Log)}
	b.job = &runtime.JobContext{RunContext: &b.run, Job: &job, Lane: &plan.Lane{ID: "lane"},
		Dir: filepath.Join(run.Dir, "jobs", job.ID), Logs: runtime.Logs{Host: new(runtimetest.Log), Stdout: b.out, Stderr: b.errs},
		Limits: runtime.Limits{LogBytes: 1 << 30, ArtifactBytes: 1 << 20, ArtifactFiles: 20}}
	b.file("snapshot/hello", "hi\n", 0o644)
	b.x = connect(t, socket, job)
	t.Cleanup(b.takeBack)
	return b
}

// file writes a file into the run directory and returns its path.
func (b *bench) file(name, content string, mode os.FileMode) string {
	b.t.Helper()
	path := filepath.Join(b.run.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// payload adds a payload whose built output is the folder output of the run
// directory.
func (b *bench) payload(role, output, guestPath string) {
	b.t.Helper()
	s := plan.StagedPreparedPayload{Role: role, DevicePrefix: role, GuestMountPath: guestPath,
		LocalMountPath: "jobs/job/staged-linux-rust/" + role}
	b.job.Job.StagedPayloads = append(b.job.Job.StagedPayloads, s)
	link := filepath.Join(b.run.Dir, s.LocalMountPath)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if !filepath.IsAbs(output) {
		output = filepath.Join(b.run.Dir, output)
	}
	if err := os.Symlink(output, link); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) emit(e event.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
	for _, l := range []*event.Lease{e.LeaseIntended, e.LeaseTaken} {
		if l != nil {
			b.lease = l
		}
	}
	return nil
}

func (b *bench) task(n *plan.Node) runtime.Task {
	return runtime.Task{Node: n, Attempt: 1, Run: &b.run, Jobs: []*runtime.JobContext{b.job}, Emit: b.emit}
}

// create makes the instance.
func (b *bench) create() {
	b.t.Helper()
	if !b.early {
		staged := filepath.Join(b.job.Dir, "staged-linux-rust")
		if err := os.Rename(staged, staged+".later"); err == nil {
			defer os.Rename(staged+".later", staged)
		}
	}
	out, err := b.x.Execute(context.Background(), b.task(&plan.Node{
		ID: plan.PrepareRunnerID(b.job.Job.ID), IncusInstance: &plan.IncusInstance{Job: b.job.Job.ID}}))
	if err != nil || out.Verdict != event.Passed {
		b.t.Fatalf("make the instance: %+v, %v", out, err)
	}
}

// execute runs a command in the instance that create made.
func (b *bench) execute(ctx context.Context, argv ...string) (event.Outcome, error) {
	return b.x.Execute(ctx, b.task(&plan.Node{
		ID: plan.ExecuteID(b.job.Job.ID), GuestCommand: &plan.GuestCommand{Job: b.job.Job.ID, Command: argv}}))
}

// sh runs a script from create to its end and fails where it could not be run.
func (b *bench) sh(script string) event.Outcome {
	b.t.Helper()
	b.create()
	out, err := b.execute(context.Background(), "bash", "-c", script)
	if err != nil {
		b.t.Fatalf("run the command: %v\nstdout: %s\nstderr: %s", err, b.out.Tail(), b.errs.Tail())
	}
	return out
}

// passes runs a script that must pass, and returns its stdout.
func (b *bench) passes(script string) string {
	b.t.Helper()
	if out := b.sh(script); out.Verdict != event.Passed {
		b.t.Fatalf("%+v\nstdout: %s\nstderr: %s", out, b.out.Tail(), b.errs.Tail())
	}
	return b.out.String()
}

func (b *bench) name() string { return incus.InstanceName(b.run.ID, b.job.Job.ID) }

// inside runs a script as root in the job's instance, past the executor.
func (b *bench) inside(script string) string {
	b.t.Helper()
	var out bytes.Buffer
	done := make(chan bool)
	op, err := server(b.t, b.socket).ExecInstance(b.name(), api.InstanceExecPost{
		Command: []string{"bash", "-c", script + " 2>&1"}, WaitForWS: true},
		&client.InstanceExecArgs{Stdin: strings.NewReader(""), Stdout: &out, DataDone: done})
	if err != nil {
		b.t.Fatal(err)
	}
	op.Wait()
	<-done
	return out.String()
}

// takeBack releases the lease, and demands that nothing bears the run's mark
// afterwards.
func (b *bench) takeBack() {
	b.mu.Lock()
	lease := b.lease
	b.mu.Unlock()
	if lease != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.x.Release(ctx, *lease); err != nil {
			b.t.Errorf("release: %v", err)
		}
	}
	if left := b.left(); len(left) > 0 {
		b.t.Errorf("left on the server: %v", left)
	}
}

// left are the names of instances that bear the run's mark.
func (b *bench) left() (names []string) {
	b.t.Helper()
	if b.leftovers != nil {
		return b.leftovers()
	}
	all, err := server(b.t, b.socket).GetInstances(api.InstanceTypeAny)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, i := range all {
		if i.Config["user.pikaci.run"] == b.run.ID {
			names = append(names, i.Name)
		}
	}
	return names
}
