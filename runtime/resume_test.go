package runtime_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Adopt finds an instance that is there.
func (w *world) Adopt(_ context.Context, l event.Lease, _ bool) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.made[l.Name], nil
}

// next is the world as the next owner finds it.
func (w *world) next() (*world, runtime.Progress) {
	n := newWorld()
	n.script, n.made, n.events = w.script, maps.Clone(w.made), slices.Clone(w.events)
	var p runtime.Progress
	for _, e := range n.events {
		p.Add(e)
	}
	return n, p
}

// Whenever it is killed, a run that is resumed ends as one that was not: each
// node ends once, what had ended is not done again, nothing is left.
func TestAnyRunThatIsKilledGoesOn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		jobs := rapid.IntRange(1, 6).Draw(rt, "jobs")
		p := drawPlan(rt, jobs)
		w := newWorld()
		for _, n := range p.Nodes {
			w.script[n.ID] = drawScript(rt, &n)
		}
		passes := drawPasses(rt, p)
		for id, earlier := range passes {
			if earlier.found { // it does what it did
				delete(w.script, plan.ExecuteID(id))
			}
		}
		parallel, failFast := rapid.IntRange(1, 4).Draw(rt, "parallel"), rapid.Bool().Draw(rt, "fail fast")
		config := func(w *world) runtime.Config {
			c := w.config(p)
			c.Capacity.Commands, c.FailFast, c.Adopter, c.Results = parallel, failFast, w, passes
			return c
		}
		carryOut := func(c runtime.Config) (s runtime.Summary) {
			synctest.Test(t, func(*testing.T) { s, _ = runtime.Run(context.Background(), c) })
			return s
		}
		whole, _ := w.next()
		want := carryOut(config(whole))

		// An owner that comes so far that it says what it carries out.
		w.killedAt = 2 + rapid.IntRange(0, len(whole.events)-3).Draw(rt, "killed at")
		carryOut(config(w))
		for range rapid.IntRange(0, 2).Draw(rt, "further kills") {
			next, progress := w.next()
			next.killedAt = len(next.events) + rapid.IntRange(1, 8).Draw(rt, "killed after")
			c := config(next)
			c.Resume = &progress
			carryOut(c)
			if progress.Finished == nil {
				w = next
			}
		}
		last, progress := w.next()
		if progress.Finished != nil {
			return // it ended before it was killed
		}
		if rapid.Bool().Draw(rt, "collected") {
			clear(last.made)
		}
		c := config(last)
		c.Resume = &progress
		got := carryOut(c)
		last.holds(rt, p, got, jobs)
		for id, n := range progress.Nodes {
			made := p.Nodes[slices.IndexFunc(p.Nodes, func(n plan.Node) bool { return n.ID == id })].IncusInstance != nil
			if n.Outcome != nil && !made && last.executed[id] > 0 {
				rt.Fatalf("%s had ended and was done again", id)
			}
		}
		if failFast {
			return // what it cancels is a matter of time
		}
		// Of two reasons not to pass, which comes first is a matter of time.
		for i, j := range got.Jobs {
			if good(j.Verdict) != good(want.Jobs[i].Verdict) {
				rt.Fatalf("job %s: %+v, and not killed %+v", j.Job, j.Outcome, want.Jobs[i].Outcome)
			}
		}
	})
}

// A run that was asked to stop, and killed before it did, stops.
func TestAnInterruptedRunThatIsKilledStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", nil, nil)
		w := newWorld()
		w.made["i-a"] = true
		progress := runtime.Progress{}
		l := event.Lease{Name: "i-a", Node: "prepare-a-runner", Job: "a", UUID: "uuid"}
		passed := event.Outcome{Verdict: event.Passed}
		for _, e := range []event.Event{
			{RunStarted: &event.RunStarted{}}, {SnapshotTaken: &event.SnapshotTaken{}}, {LeaseTaken: &l},
			{NodeFinished: &event.NodeFinished{Node: "prepare-a-runner", Outcome: passed}},
			{NodeStarted: &event.NodeStarted{Node: "execute-a", Attempt: 1}},
			{Interrupted: &event.Interrupted{Reason: "interrupted by SIGTERM"}},
		} {
			progress.Add(e)
		}
		c := w.config(p)
		c.Resume, c.Adopter = &progress, w
		s, err := runtime.Run(t.Context(), c)
		if err != nil || s.ExitCode != runtime.ExitInterrupted || s.Reason != "interrupted by SIGTERM" || w.made["i-a"] {
			t.Errorf("%+v, %v, %v", s, err, w.made)
		}
		if s.Jobs[0].Verdict != event.Cancelled || w.executed["execute-a"] > 0 {
			t.Errorf("%+v, executed %v", s.Jobs[0], w.executed)
		}
	})
}

// The attempt that was under way goes on, and not the first one.
func TestARetriedJobThatIsKilledKeepsItsAttempt(t *testing.T) {
	for name, retried := range map[string]bool{"before the next attempt": true, "in the next attempt": false} {
		synctest.Test(t, func(t *testing.T) {
			p := onelane()
			guest(p, "a", nil, nil).Retries = 1
			w := newWorld()
			w.script["execute-a"] = fails(event.Test)
			progress := runtime.Progress{}
			progress.Add(event.Event{SnapshotTaken: &event.SnapshotTaken{}})
			progress.Add(event.Event{NodeFinished: &event.NodeFinished{Node: "prepare-a-runner", Outcome: event.Outcome{Verdict: event.Passed}}})
			progress.Add(event.Event{NodeStarted: &event.NodeStarted{Node: "execute-a", Attempt: 1}})
			progress.Add(event.Event{NodeRetried: &event.NodeRetried{Node: "execute-a", Attempt: 1}})
			if !retried {
				progress.Add(event.Event{NodeStarted: &event.NodeStarted{Node: "execute-a", Attempt: 2}})
			}
			c := w.config(p)
			c.Resume, c.Adopter = &progress, w
			s, _ := runtime.Run(t.Context(), c)
			if w.executed["execute-a"] != 1 || s.Jobs[0].Failure != event.Test {
				t.Errorf("%s: executed %v, %+v", name, w.executed, s.Jobs[0])
			}
		})
	}
}

// seesHash keeps the snapshot's hash that a build is told of.
type seesHash struct {
	*world
	hash string
}

func (s *seesHash) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	s.hash = t.Run.SnapshotHash
	return s.world.Execute(ctx, t)
}

// Outputs are known by the snapshot's hash, which an earlier owner took.
func TestAResumedRunKnowsItsSnapshot(t *testing.T) {
	p := onelane()
	guest(p, "a", []string{"build"}, nil)
	w := newWorld()
	progress := runtime.Progress{}
	progress.Add(event.Event{SnapshotTaken: &event.SnapshotTaken{ContentHash: "sha256:h"}})
	c := w.config(p)
	builds := &seesHash{world: w}
	c.Resume, c.Adopter, c.Builds = &progress, w, builds
	if s, err := runtime.Run(t.Context(), c); err != nil || s.ExitCode != 0 || builds.hash != "sha256:h" {
		t.Errorf("%+v, %v, hash %q", s, err, builds.hash)
	}
}
