package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// world is a fake of everything that a run touches. What each node does stands
// in script; passed at once where it has none.
type world struct {
	mu       sync.Mutex
	script   map[string]func(ctx context.Context, attempt int) (event.Outcome, error)
	events   []event.Event
	running  map[string]int
	peak     int
	cpus     map[string]int  // of commands, by node
	peakCPUs int             // of commands that do not run alone
	made     map[string]bool // instances that are there
	most     int             // instances that were there at one time
	brokenAt int             // journal fails from this event on; 0: never
	killedAt int             // nothing happens from this event on; 0: never
	executed map[string]int  // by node
}

// dead reports whether the world's owner was killed. It holds mu.
func (w *world) dead() bool { return w.killedAt > 0 && len(w.events) >= w.killedAt }

func newWorld() *world {
	return &world{script: map[string]func(context.Context, int) (event.Outcome, error){},
		running: map[string]int{}, made: map[string]bool{}, executed: map[string]int{}}
}

func (w *world) Append(e event.Event, safety event.Safety) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead() {
		return errors.New("killed")
	}
	e.Seq = int64(len(w.events) + 1)
	w.events = append(w.events, e)
	if w.brokenAt > 0 && len(w.events) >= w.brokenAt {
		return errors.New("no space left on device")
	}
	return nil
}

func (w *world) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	w.count(t.Node, 1)
	defer w.count(t.Node, -1)
	if ctx.Err() != nil {
		return event.Outcome{}, context.Cause(ctx)
	}
	if t.Node.IncusInstance != nil {
		l := event.Lease{Kind: "incus_instance", Name: "i-" + t.Job().Job.ID, Node: t.Node.ID, Job: t.Job().Job.ID}
		if err := t.Emit(event.Event{LeaseIntended: &l}); err != nil {
			return event.Outcome{}, err
		}
		w.set(l.Name, true)
		l.UUID = "uuid"
		if err := t.Emit(event.Event{LeaseTaken: &l}); err != nil {
			return event.Outcome{}, err
		}
	}
	if f := w.script[t.Node.ID]; f != nil {
		return f(ctx, t.Attempt)
	}
	return event.Outcome{Verdict: event.Passed}, nil
}

func (w *world) count(n *plan.Node, d int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d > 0 && !w.dead() {
		w.executed[n.ID]++
	}
	if n.Prepares() {
		return
	}
	w.running["command"] += d
	w.running["cpus"] += d * w.cpus[n.ID]
	w.peak = max(w.peak, w.running["command"])
	if w.running["command"] > 1 {
		w.peakCPUs = max(w.peakCPUs, w.running["cpus"])
	}
}

func (w *world) set(name string, there bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead() {
		return
	}
	w.made[name] = there
	n := 0
	for _, there := range w.made {
		if there {
			n++
		}
	}
	w.most = max(w.most, n)
}

func (w *world) Release(ctx context.Context, l event.Lease) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	w.set(l.Name, false)
	return nil
}

func (w *world) RemoveCommand(l event.Lease) string { return "remove " + l.Name }

func (w *world) config(p *plan.Plan) runtime.Config {
	return runtime.Config{
		Plan: p, Run: runtime.RunContext{ID: "r", Dir: "/nowhere"},
		Builds: w, Instances: w, Guests: w, Hosts: w, Releaser: w, Journal: w, Capacity: runtime.Capacity{Commands: 2},
		HostSetup:    func(context.Context, []string) error { return nil },
		TakeSnapshot: func(context.Context) (event.SnapshotTaken, error) { return event.SnapshotTaken{}, nil },
		OpenJob:      func(*runtime.JobContext) (func() error, error) { return func() error { return nil }, nil },
	}
}

// outcomes are how the nodes ended; it fails where one ended twice.
func (w *world) outcomes(t rapid.TB) map[string]event.Outcome {
	out := map[string]event.Outcome{}
	for _, e := range w.events {
		if f := e.NodeFinished; f != nil {
			if _, twice := out[f.Node]; twice {
				t.Fatalf("node %s ended twice", f.Node)
			}
			out[f.Node] = f.Outcome
		}
	}
	return out
}

// guest is a job with the payloads, and its nodes.
func guest(p *plan.Plan, id string, builds, needs []string) *plan.Job {
	p.Jobs = append(p.Jobs, plan.Job{ID: id, Lane: "l", Needs: needs, Incus: &plan.Incus{}})
	p.Lanes[0].Jobs = append(p.Lanes[0].Jobs, id)
	var deps []string
	for _, b := range builds {
		i := slices.IndexFunc(p.Nodes, func(n plan.Node) bool { return n.ID == b })
		if i < 0 {
			p.Nodes = append(p.Nodes, plan.Node{ID: b, DependsOn: slices.Clone(deps), NixBuild: &plan.NixBuild{}})
			i = len(p.Nodes) - 1
		}
		p.Nodes[i].Jobs = append(p.Nodes[i].Jobs, id)
		deps = append(deps, b)
	}
	deps = append(deps, plan.PrepareRunnerID(id))
	for _, n := range needs {
		deps = append(deps, plan.ExecuteID(n))
	}
	p.Nodes = append(p.Nodes,
		plan.Node{ID: plan.PrepareRunnerID(id), Jobs: []string{id}, IncusInstance: &plan.IncusInstance{Job: id}},
		plan.Node{ID: plan.ExecuteID(id), Jobs: []string{id}, DependsOn: deps, GuestCommand: &plan.GuestCommand{Job: id, Command: []string{"x"}}})
	return &p.Jobs[len(p.Jobs)-1]
}

func onelane() *plan.Plan {
	return &plan.Plan{Lanes: []plan.Lane{{ID: "l", Chosen: true, Trigger: plan.Branch}}}
}

func fails(kind event.Failure) func(context.Context, int) (event.Outcome, error) {
	return func(context.Context, int) (event.Outcome, error) {
		return event.Outcome{Verdict: event.Failed, Failure: kind, Reason: "it broke"}, nil
	}
}

func TestAFailedPayloadFailsItsJobsAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", []string{"deps", "build"}, nil)
		guest(p, "b", []string{"other"}, nil)
		w := newWorld()
		w.script["deps"] = fails(event.Prepare)
		s, err := runtime.Run(t.Context(), w.config(p))
		if err != nil || s.ExitCode != runtime.ExitFailed {
			t.Fatalf("exit code %d, error %v", s.ExitCode, err)
		}
		if a := s.Jobs[0]; a.Verdict != event.Failed || a.Failure != event.Prepare || a.Reason != "deps: it broke" {
			t.Errorf("job a: %+v", a)
		}
		if b := s.Jobs[1]; b.Verdict != event.Passed {
			t.Errorf("job b: %+v", b)
		}
		if s.Lanes[0].Verdict != event.Failed {
			t.Errorf("lane: %v", s.Lanes)
		}
		if o := w.outcomes(t); o["build"].Verdict != event.Skipped {
			t.Errorf("build: %+v", o["build"])
		}
	})
}

func TestAJobThatNeedsAFailedOneIsSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", nil, nil)
		guest(p, "b", nil, []string{"a"})
		guest(p, "c", nil, []string{"b"})
		last := guest(p, "last", nil, []string{"c"})
		last.Finally = true
		w := newWorld()
		w.script["execute-a"] = fails(event.Test)
		s, _ := runtime.Run(t.Context(), w.config(p))
		var got []event.Verdict
		for _, j := range s.Jobs {
			got = append(got, j.Verdict)
		}
		want := []event.Verdict{event.Failed, event.Skipped, event.Skipped, event.Passed}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if s.Jobs[2].Reason != "needs job a, which did not pass" {
			t.Errorf("reason: %q", s.Jobs[2].Reason)
		}
	})
}

func TestRetryTakesAFreshInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", nil, nil).Retries = 1
		w := newWorld()
		w.script["execute-a"] = func(ctx context.Context, attempt int) (event.Outcome, error) {
			if attempt == 1 {
				return fails(event.Test)(ctx, attempt)
			}
			return event.Outcome{Verdict: event.Passed}, nil
		}
		s, _ := runtime.Run(t.Context(), w.config(p))
		if s.ExitCode != 0 || s.Jobs[0].Reason != "flaky: passed at attempt 2" {
			t.Errorf("%+v", s)
		}
		released, intended := 0, 0
		for _, e := range w.events {
			if e.LeaseReleased != nil {
				released++
			}
			if e.LeaseIntended != nil {
				intended++
			}
		}
		if released != 2 || intended != 2 {
			t.Errorf("%d leases intended, %d released", intended, released)
		}
	})
}

func TestInterruptEndsEverythingAndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		for i := range 5 {
			guest(p, fmt.Sprint("j", i), nil, nil)
		}
		w := newWorld()
		hang := func(ctx context.Context, _ int) (event.Outcome, error) {
			<-ctx.Done()
			return event.Outcome{}, fmt.Errorf("waiting: %w", context.Cause(ctx))
		}
		w.script["execute-j0"], w.script["execute-j1"] = hang, hang
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { time.Sleep(time.Second); cancel(runtime.ErrInterrupted) }()
		s, _ := runtime.Run(ctx, w.config(p))
		if s.ExitCode != runtime.ExitInterrupted || s.Verdict != event.Cancelled {
			t.Errorf("%+v", s)
		}
		for name, there := range w.made {
			if there {
				t.Errorf("%s is left", name)
			}
		}
		if w.peak > 2 {
			t.Errorf("%d commands at once", w.peak)
		}
	})
}

func TestTheSecondSignalStopsWaitingAndSaysWhatIsLeft(t *testing.T) {
	abandon := make(chan struct{})
	release := make(chan struct{})
	p := onelane()
	guest(p, "a", nil, nil)
	w := newWorld()
	w.script["execute-a"] = func(context.Context, int) (event.Outcome, error) {
		close(abandon)
		<-release // a worker that ignores its context
		return event.Outcome{}, nil
	}
	c := w.config(p)
	c.Abandon = abandon
	ctx, cancel := context.WithCancelCause(t.Context())
	cancelled := w.script["execute-a"]
	w.script["execute-a"] = func(ctx context.Context, n int) (event.Outcome, error) {
		cancel(runtime.ErrInterrupted)
		return cancelled(ctx, n)
	}
	s, _ := runtime.Run(ctx, c)
	if o := w.outcomes(t)["execute-a"]; o.Verdict != event.Cancelled {
		t.Errorf("the node that was not waited for: %+v", o)
	}
	close(release)
	if s.ExitCode != runtime.ExitInterrupted || len(s.Left) != 1 || s.Left[0].Command != "remove i-a" {
		t.Errorf("%+v", s)
	}
}

func TestFailFastCancelsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", nil, nil)
		guest(p, "b", nil, nil)
		guest(p, "c", nil, nil)
		w := newWorld()
		w.script["execute-a"] = fails(event.Test)
		hang := func(ctx context.Context, _ int) (event.Outcome, error) {
			<-ctx.Done()
			return event.Outcome{}, context.Cause(ctx)
		}
		w.script["execute-b"], w.script["execute-c"] = hang, hang
		c := w.config(p)
		c.FailFast, c.Capacity.Commands = true, 3
		s, _ := runtime.Run(t.Context(), c)
		if s.ExitCode != runtime.ExitFailed || s.Jobs[1].Verdict != event.Cancelled || s.Jobs[2].Verdict != event.Cancelled {
			t.Errorf("%+v", s)
		}
	})
}

func TestAPartialLaneDidNotPass(t *testing.T) {
	p := onelane()
	guest(p, "a", nil, nil)
	guest(p, "b", nil, []string{"a"})
	guest(p, "c", nil, nil)
	w := newWorld()
	c := w.config(p)
	c.Job = "b"
	s, err := runtime.Run(t.Context(), c)
	if err != nil || s.ExitCode != 0 || len(s.Jobs) != 2 || s.Lanes[0].Verdict != event.Partial {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestPrepareOnlyBuildsAndStops(t *testing.T) {
	p := onelane()
	guest(p, "a", []string{"deps", "build"}, nil)
	w := newWorld()
	c := w.config(p)
	c.PrepareOnly = true
	s, err := runtime.Run(t.Context(), c)
	if err != nil || s.ExitCode != 0 || len(w.outcomes(t)) != 2 || len(w.made) != 0 {
		t.Errorf("%+v, %v, %v", s, err, w.outcomes(t))
	}
}

func TestNothingToRun(t *testing.T) {
	s, err := runtime.Run(t.Context(), newWorld().config(onelane()))
	if err != nil || s.ExitCode != runtime.ExitNothing {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestAnyRun holds random graphs, failures, cancels and broken journals
// against the invariants: every node ends once, none starts before what it
// depends on has passed, and nothing is left.
func TestAnyRun(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		jobs := rapid.IntRange(0, 8).Draw(rt, "jobs")
		p := drawPlan(rt, jobs)
		w := newWorld()
		for _, n := range p.Nodes {
			w.script[n.ID] = drawScript(rt, &n)
		}
		if rapid.IntRange(0, 4).Draw(rt, "broken") == 0 {
			w.brokenAt = rapid.IntRange(1, 30).Draw(rt, "broken at")
		}
		interrupt := time.Duration(rapid.IntRange(0, 12).Draw(rt, "interrupt")) * time.Second
		c := w.config(p)
		c.Capacity.Commands = rapid.IntRange(1, 4).Draw(rt, "parallel")
		c.Capacity.CPUs = rapid.IntRange(0, 6).Draw(rt, "cpus")
		w.cpus = map[string]int{}
		for i := range p.Jobs {
			p.Jobs[i].Incus.CPUs = rapid.IntRange(1, 8).Draw(rt, "needs cpus")
			w.cpus[plan.ExecuteID(p.Jobs[i].ID)] = p.Jobs[i].Incus.CPUs
		}
		c.FailFast = rapid.Bool().Draw(rt, "fail fast")
		p.Lanes[0].TimeoutSecs = rapid.IntRange(0, 12).Draw(rt, "lane timeout")
		c.Timeout = time.Duration(rapid.IntRange(0, 20).Draw(rt, "run timeout")) * time.Second
		c.InfraRetries = rapid.IntRange(0, 2).Draw(rt, "infra retries")
		passes := drawPasses(rt, p)
		c.Results = passes
		var s runtime.Summary
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			if interrupt > 0 {
				stop := time.AfterFunc(interrupt, func() { cancel(runtime.ErrInterrupted) })
				defer stop.Stop()
			}
			s, _ = runtime.Run(ctx, c)
		})
		w.holds(rt, p, s, jobs)
		if c.Capacity.CPUs > 0 && w.peakCPUs > c.Capacity.CPUs {
			rt.Fatalf("commands with %d processors at one time, of %d", w.peakCPUs, c.Capacity.CPUs)
		}
		if w.peak > c.Capacity.Commands {
			rt.Fatalf("%d commands at one time, of %d", w.peak, c.Capacity.Commands)
		}
		if w.most > c.Capacity.Commands+1+passes.gone() { // a job whose pass is gone at the last moment gets one all the same
			rt.Fatalf("%d instances at one time, %d commands", w.most, c.Capacity.Commands)
		}
	})
}
