package incus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// trouble is one run of one job on a server with faults.
type trouble struct {
	kind plan.InstanceType
	// exit is the command's.
	exit int
	// faulty says what goes wrong.
	faulty func(runtimetest.Call) runtimetest.Fault
	// late: the payload is built while the instance is made.
	late bool
	// killed is when the run's owner is killed, of whom there are no faults:
	// another one goes on with the run. 0: never.
	killed time.Duration
}

// aftermath is what came of it.
type aftermath struct {
	calls []runtimetest.Call
	// err is of what comes before a run: nothing was recorded then.
	err      error
	summary  runtime.Summary
	run      record.Run
	took     time.Duration
	stdout   string
	machines []*runtimetest.Machine
	// there are the instances that the server has.
	there []string
}

const faultLines, faultEvery = 8, 700 * time.Millisecond

// carryOut carries the run out from the connection to the record, under a fake
// clock.
func (tr trouble) carryOut(t *testing.T) (a aftermath) {
	t.Helper()
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := runtimetest.NewIncusWithin(t)
		s.Type, s.Takes, s.Faulty = string(tr.kind), 300*time.Millisecond, tr.faulty
		var mu sync.Mutex
		s.NewGuest = func(uuid string) func(context.Context, guest.Start, io.Writer) {
			m := &runtimetest.Machine{UUID: uuid, Lines: faultLines, Every: faultEvery, Code: tr.exit}
			mu.Lock()
			defer mu.Unlock()
			a.machines = append(a.machines, m)
			return m.Guest
		}
		began := time.Now()
		if tr.killed > 0 {
			tr.resume(t, s, state, &a)
		} else {
			a.err = tr.run(t, s.Dial, state, &a)
			a.calls = s.Calls()
		}
		a.took = time.Since(began)
		time.Sleep(10 * time.Minute) // what comes late, comes
		a.there = s.Instances()
	})
	return a
}

// plan is of one job in one guest.
func (tr trouble) plan() *plan.Plan {
	return &plan.Plan{
		Lanes: []plan.Lane{{ID: "lane", Chosen: true, Trigger: plan.Branch, Jobs: []string{"job"}}},
		Jobs: []plan.Job{{ID: "job", Lane: "lane", User: 1000, WorkingDir: guest.Snapshot, TimeoutSecs: 60,
			Incus: &plan.Incus{Image: image, InstanceType: tr.kind, CPUs: 1, Memory: "512MiB", Profiles: []string{"default"}, Network: "none"}}},
		Nodes: []plan.Node{
			{ID: plan.PrepareRunnerID("job"), Jobs: []string{"job"}, IncusInstance: &plan.IncusInstance{Job: "job"}},
			{ID: plan.ExecuteID("job"), Jobs: []string{"job"}, DependsOn: []string{plan.PrepareRunnerID("job")},
				GuestCommand: &plan.GuestCommand{Job: "job", Command: []string{"true"}}},
		},
	}
}

// run is one run as cmd/pikaci makes it.
func (tr trouble) run(t *testing.T, dial func(context.Context, string, string) (net.Conn, error), state string, a *aftermath) error {
	p := tr.plan()
	x, err := connected(t, dial, p)
	if err != nil {
		return err
	}
	dir, err := record.Create(state, "run")
	if err != nil {
		t.Fatal(err)
	}
	journal, err := dir.OpenJournal(func(event.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	c := tr.config(t, p, x, state, dir)
	c.Journal = journal
	a.end(t, c, dir, journal)
	return nil
}

// connected is an executor that asked for all that the plan needs.
func connected(t *testing.T, dial func(context.Context, string, string) (net.Conn, error), p *plan.Plan) (*incus.Executor, error) {
	return incus.New(t.Context(), incus.Options{Dial: dial, Project: "default", Root: "root"}, p.Jobs...)
}

func (tr trouble) config(t *testing.T, p *plan.Plan, x *incus.Executor, state string, dir *record.Dir) runtime.Config {
	executor := runtime.Executor(x)
	if tr.late {
		b := &bench{t: t, run: runtime.NewRunContext(state, "run", "/nowhere"), job: &runtime.JobContext{Job: &p.Jobs[0]}}
		b.file("out/f", "", 0o644)
		executor = &lateExecutor{Executor: x, build: sync.OnceFunc(func() { b.payload("role", "out", "/staged") })}
	}
	return runtime.Config{
		Plan: p, Run: runtime.NewRunContext(state, "run", "/nowhere"), Instances: executor, Guests: executor, Releaser: x,
		TakeSnapshot: func(context.Context) (event.SnapshotTaken, error) { return event.SnapshotTaken{}, nil },
		OpenJob: func(j *runtime.JobContext) (func() error, error) {
			logs, err := dir.OpenLogs(j.Job.ID, nil, 1<<20, func(event.Stream, []byte) {})
			if err != nil {
				return nil, err
			}
			j.Logs = runtime.Logs{Host: logs.Host, Stdout: logs.Stdout, Stderr: logs.Stderr}
			return func() error { return logs.Close(func(event.Stream, int64) {}) }, nil
		},
		InfraRetries: 2, Capacity: runtime.Capacity{Commands: 1}, Limits: runtime.Limits{LogBytes: 1 << 20, ArtifactBytes: 1 << 20, ArtifactFiles: 9},
	}
}

// end carries the run out to its end and reads what was recorded.
func (a *aftermath) end(t *testing.T, c runtime.Config, dir *record.Dir, journal *record.Journal) {
	var err error
	if a.summary, err = runtime.Run(t.Context(), c); err != nil {
		t.Errorf("the run: %v", err)
	}
	if err := journal.Close(); err != nil {
		t.Error(err)
	}
	past, err := dir.Read()
	if err != nil {
		t.Errorf("the record can't be read: %v", err)
	}
	a.run = past.Run
	a.stdout = read(t, dir.Path+"/jobs/job/stdout.log")
}

// lateExecutor builds the payload before a command runs, and not before its
// instance is made.
type lateExecutor struct {
	runtime.Executor
	build func()
}

func (l *lateExecutor) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	if t.Node.GuestCommand != nil {
		l.build()
	}
	return l.Executor.Execute(ctx, t)
}

// faultLimit is the longest that a run may take whatever the server does: three
// attempts, and the taking back.
const faultLimit = 45 * time.Minute

// check holds what came of it against what may.
func (a *aftermath) check(t *testing.T, exit int) {
	t.Helper()
	if a.took > faultLimit {
		t.Errorf("it took %s", a.took)
	}
	if a.err != nil {
		if len(a.there) > 0 {
			t.Errorf("%v, and %v was made", a.err, a.there)
		}
		return
	}
	if len(a.summary.Jobs) != 1 || len(a.run.Jobs) != 1 || a.run.Jobs[0].Verdict != a.summary.Jobs[0].Verdict || a.run.FinishedAt == nil {
		t.Fatalf("%+v; on disk %+v", a.summary, a.run)
	}
	proved := slices.ContainsFunc(a.machines, (*runtimetest.Machine).Ended)
	switch job := a.summary.Jobs[0]; {
	case job.Failure == event.Infra && job.Verdict == event.Failed && a.summary.ExitCode == runtime.ExitInfra && job.Reason != "":
	case !proved:
		t.Errorf("the command did not run to its end, and the job %+v", job)
	case exit == 0 && (job.Verdict != event.Passed || a.summary.ExitCode != 0), exit != 0 && (job.Failure != event.Test || a.summary.ExitCode != 1):
		t.Errorf("the command ended with %d, and the job %+v", exit, job)
	default:
		// What an attempt printed that could not be carried out stands before.
		text := (&runtimetest.Machine{Lines: faultLines}).Text()
		if !strings.HasSuffix(a.stdout, text) || len(a.machines) == 1 && a.stdout != text {
			t.Errorf("the log is %q", a.stdout)
		}
	}
	a.checkLeft(t)
}

// checkLeft wants each instance that is there to be told of.
func (a *aftermath) checkLeft(t *testing.T) {
	t.Helper()
	for _, name := range a.there {
		if !slices.ContainsFunc(a.summary.Left, func(l event.LeaseLeft) bool { return l.Lease.Name == name && l.Command != "" }) {
			t.Errorf("%s is left, and nothing is said of it", name)
		}
	}
	if len(a.run.Left) != len(a.summary.Left) {
		t.Errorf("the record tells of %+v, the run of %+v", a.run.Left, a.summary.Left)
	}
}

// Whatever goes wrong with whichever call of a run, it ends, soon enough, its
// verdict is true, and what it made is taken back or named. With
// PIKACI_FAULTS=all each call of each kind of run is tried; else a call that
// is tried with one kind is not with another.
func TestAnyCallMayGoWrong(t *testing.T) {
	all := os.Getenv("PIKACI_FAULTS") == "all"
	tried := map[string]bool{}
	for _, tr := range []trouble{{kind: plan.Container}, {kind: plan.VirtualMachine, late: true}, {kind: plan.Container, late: true}, {kind: plan.VirtualMachine}} {
		t.Run(fmt.Sprintf("%s, payload late %v", tr.kind, tr.late), func(t *testing.T) {
			whole := tr.carryOut(t)
			whole.check(t, 0)
			if len(whole.there) > 0 || whole.err != nil || whole.summary.ExitCode != 0 {
				t.Fatalf("without a fault: %+v", whole)
			}
			calls := slices.DeleteFunc(whole.calls, func(c runtimetest.Call) bool { return tried[c.What] && !all })
			for _, c := range calls {
				tried[c.What] = true
			}
			anyFault(t, tr, calls)
		})
	}
}

// lasting are faults that are tried from one call on too, with all of its kind.
var lasting = []runtimetest.Fault{runtimetest.Breaks, runtimetest.Unavailable, runtimetest.Resets, runtimetest.Hangs,
	runtimetest.DoneHangs, runtimetest.DoneResets}

// raceDetector says that the tests run under it, which is slow, and crashes now
// and then where many timers of testing/synctest end (golang/go#78156).
var raceDetector bool

// anyFault has each of the calls go wrong in each way: once, or from then on.
// Under the race detector, it is every fifth way, and of a resumed run every
// second.
func anyFault(t *testing.T, tr trouble, calls []runtimetest.Call) {
	n, step, ended := 0, 1, map[string]int{}
	if raceDetector {
		step = 5
	}
	if tr.killed > 0 && os.Getenv("PIKACI_FAULTS") != "all" {
		step *= 2
	}
	try := func(call runtimetest.Call, fault runtimetest.Fault, always bool) {
		one := tr
		if n++; n%3 == 0 {
			one.exit = 3
		}
		if n%step != 0 {
			return
		}
		one.faulty = func(c runtimetest.Call) runtimetest.Fault {
			if c.What == call.What && (c.N == call.N || always && c.N > call.N) {
				return fault
			}
			return runtimetest.NoFault
		}
		t.Run(fmt.Sprintf("%s %d %s always %v", call.What, call.N, fault, always), func(t *testing.T) {
			a := one.carryOut(t)
			a.check(t, one.exit)
			ended[a.how()]++
		})
	}
	for _, call := range calls {
		for _, fault := range call.Faults() {
			try(call, fault, false)
			if slices.Contains(lasting, fault) {
				try(call, fault, true)
			}
		}
	}
	t.Logf("%d calls, %d runs: %v", len(calls), n/step, ended)
}

// how is how a run ended, for a count.
func (a *aftermath) how() string {
	if a.err != nil {
		return "refused"
	}
	how := fmt.Sprint(a.summary.Jobs[0].Verdict, " ", a.summary.Jobs[0].Failure)
	if len(a.summary.Left) > 0 {
		how += ", something left"
	}
	return how
}

// read reads a log; one that nobody wrote to is not there.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	return string(b)
}
