package runtime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// passes are what earlier runs left: how Find and Take go for a job.
type passes map[string]pass

type pass struct {
	found bool
	// late says that it is only known once payloads are built.
	late bool
	take error
}

func (p passes) Find(_ context.Context, j *runtime.JobContext, _ []string) (event.ResultLookedUp, bool) {
	one := p[j.Job.ID]
	if one.late {
		p[j.Job.ID] = pass{found: one.found, take: one.take}
		return event.ResultLookedUp{}, false
	}
	return event.ResultLookedUp{Key: "key", Found: one.found, Run: "earlier"}, true
}

func (p passes) Take(_ context.Context, t runtime.Task, _ event.ResultLookedUp) error {
	return p[t.Job().Job.ID].take
}

// drawPasses gives some of the plan's jobs an earlier pass, not all of which can
// be had.
func drawPasses(rt *rapid.T, p *plan.Plan) fixed {
	f := fixed{}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		j.Cache = rapid.Bool().Draw(rt, "cache")
		one := pass{found: rapid.Bool().Draw(rt, "found"), late: rapid.Bool().Draw(rt, "late")}
		if rapid.IntRange(0, 3).Draw(rt, "gone") == 0 {
			one.take = errors.New("an artifact is gone")
		}
		f[j.ID] = one
	}
	return f
}

func (f fixed) gone() (n int) {
	for _, p := range f {
		if p.found && p.take != nil {
			n++
		}
	}
	return n
}

// fixed answers the same each time, from any number of goroutines.
type fixed map[string]pass

func (f fixed) Find(_ context.Context, j *runtime.JobContext, _ []string) (event.ResultLookedUp, bool) {
	one := f[j.Job.ID]
	return event.ResultLookedUp{Key: "key", Found: one.found, Run: "earlier"}, !one.late
}

func (f fixed) Take(_ context.Context, t runtime.Task, _ event.ResultLookedUp) error {
	return f[t.Job().Job.ID].take
}

func good(v event.Verdict) bool { return v == event.Passed || v == event.Cached }

func lookups(w *world) (list []event.ResultLookedUp) {
	for _, e := range w.events {
		if e.ResultLookedUp != nil {
			list = append(list, *e.ResultLookedUp)
		}
	}
	return list
}

func TestAnEarlierPassStandsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", []string{"deps"}, nil).Cache = true
		guest(p, "b", nil, []string{"a"})
		w := newWorld()
		c := w.config(p)
		c.Results = fixed{"a": {found: true}}
		s, err := runtime.Run(t.Context(), c)
		if err != nil || s.ExitCode != 0 || s.Lanes[0].Verdict != event.Passed {
			t.Fatalf("%+v, %v", s, err)
		}
		a := s.Jobs[0]
		if a.Verdict != event.Cached || a.CachedFrom != "earlier" || a.ExitCode == nil || *a.ExitCode != 0 {
			t.Errorf("job a: %+v", a)
		}
		if w.executed["prepare-a-runner"]+w.executed["execute-a"] > 0 || w.executed["execute-b"] != 1 {
			t.Errorf("executed %v", w.executed)
		}
		told := map[string]event.ResultLookedUp{}
		for _, l := range lookups(w) {
			told[l.Job] = l
		}
		if !told["a"].Found || told["b"].Reason != "cache is false" {
			t.Errorf("looked up %+v", told)
		}
	})
}

func TestAPassThatIsKnownLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", []string{"deps"}, nil).Cache = true
		w := newWorld()
		c := w.config(p)
		c.Results = passes{"a": {found: true, late: true}}
		s, _ := runtime.Run(t.Context(), c)
		if s.Jobs[0].Verdict != event.Cached || w.executed["prepare-a-runner"] != 1 || w.executed["execute-a"] > 0 {
			t.Errorf("%+v, executed %v", s.Jobs[0], w.executed)
		}
		if w.made["i-a"] {
			t.Error("its instance is left")
		}
	})
}

func TestAPassWhoseArtifactsAreGoneRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", nil, nil).Cache = true
		w := newWorld()
		c := w.config(p)
		c.Results = fixed{"a": {found: true, take: errors.New("an artifact is gone")}}
		s, _ := runtime.Run(t.Context(), c)
		if s.Jobs[0].Verdict != event.Passed || w.executed["execute-a"] != 1 || w.made["i-a"] {
			t.Errorf("%+v, executed %v, made %v", s.Jobs[0], w.executed, w.made)
		}
		if l := lookups(w); len(l) != 2 || l[1].Found || l[1].Reason != "an artifact is gone" {
			t.Errorf("looked up %+v", l)
		}
	})
}

func TestJobsThatAreNotReused(t *testing.T) {
	for why, change := range map[string]func(*plan.Job, *runtime.Config){
		"--no-cache":                       func(_ *plan.Job, c *runtime.Config) { c.NoCache = true },
		"cache is false":                   func(j *plan.Job, _ *runtime.Config) { j.Cache = false },
		"it has secrets":                   func(j *plan.Job, _ *runtime.Config) { j.Secrets = []string{"TOKEN"} },
		"finally jobs clean up, each time": func(j *plan.Job, _ *runtime.Config) { j.Finally = true },
	} {
		synctest.Test(t, func(t *testing.T) {
			p := onelane()
			j := guest(p, "a", nil, nil)
			j.Cache = true
			w := newWorld()
			c := w.config(p)
			c.Results = fixed{"a": {found: true}}
			change(j, &c)
			s, _ := runtime.Run(t.Context(), c)
			l := lookups(w)
			if s.Jobs[0].Verdict != event.Passed || len(l) != 1 || l[0].Reason != why || l[0].Key != "" {
				t.Errorf("%s: %+v, %+v", why, s.Jobs[0], l)
			}
		})
	}
}

// A job that was cached up to its command as the run was killed is looked up
// again, and runs in an instance of its own where its pass is gone meanwhile.
func TestACachedJobOfAKilledRun(t *testing.T) {
	for _, still := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := onelane()
			guest(p, "a", nil, nil).Cache = true
			w := newWorld()
			var progress runtime.Progress
			cached := event.Outcome{Verdict: event.Cached, CachedFrom: "earlier"}
			for _, e := range []event.Event{
				{RunStarted: &event.RunStarted{}}, {SnapshotTaken: &event.SnapshotTaken{}},
				{NodeFinished: &event.NodeFinished{Node: "prepare-a-runner", Outcome: cached}},
				{NodeStarted: &event.NodeStarted{Node: "execute-a", Attempt: 1}},
			} {
				progress.Add(e)
			}
			c := w.config(p)
			c.Resume, c.Adopter, c.Results = &progress, w, fixed{"a": {found: still}}
			s, _ := runtime.Run(t.Context(), c)
			ran := w.executed["execute-a"] == 1 && w.executed["prepare-a-runner"] == 1
			if !good(s.Jobs[0].Verdict) || (s.Jobs[0].Verdict == event.Cached) != still || ran == still || w.made["i-a"] {
				t.Errorf("still there %v: %+v, executed %v, made %v", still, s.Jobs[0], w.executed, w.made)
			}
		})
	}
}

// What an earlier owner made the instance of, only that one knew.
func TestAJobWhoseInstanceWasMadeBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", nil, nil).Cache = true
		w := newWorld()
		w.made["i-a"] = true
		var progress runtime.Progress
		l := event.Lease{Name: "i-a", Node: "prepare-a-runner", Job: "a", UUID: "uuid"}
		for _, e := range []event.Event{
			{RunStarted: &event.RunStarted{}}, {SnapshotTaken: &event.SnapshotTaken{}}, {LeaseTaken: &l},
			{NodeFinished: &event.NodeFinished{Node: "prepare-a-runner", Outcome: event.Outcome{Verdict: event.Passed}}},
		} {
			progress.Add(e)
		}
		c := w.config(p)
		c.Resume, c.Adopter, c.Results = &progress, w, fixed{"a": {found: true}}
		s, _ := runtime.Run(t.Context(), c)
		if s.Jobs[0].Verdict != event.Passed || len(lookups(w)) > 0 || w.made["i-a"] {
			t.Errorf("%+v, looked up %v, made %v", s.Jobs[0], lookups(w), w.made)
		}
	})
}

// Cached jobs that wait for another one keep no instance from the others.
func TestCachedJobsThatWaitTakeNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "long", nil, nil)
		w := newWorld()
		w.script["execute-long"] = func(context.Context, int) (event.Outcome, error) {
			time.Sleep(time.Hour)
			return event.Outcome{Verdict: event.Passed}, nil
		}
		earlier := fixed{}
		for _, id := range []string{"c1", "c2", "c3", "c4"} {
			guest(p, id, nil, []string{"long"}).Cache = true
			earlier[id] = pass{found: true}
		}
		guest(p, "other", nil, nil)
		c := w.config(p)
		c.Results = earlier
		begun := time.Now()
		w.script["execute-other"] = func(context.Context, int) (event.Outcome, error) {
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("began after %s", took)
			}
			return event.Outcome{Verdict: event.Passed}, nil
		}
		if s, err := runtime.Run(t.Context(), c); err != nil || s.ExitCode != 0 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// The snapshot is asked for before anything is carried out that reads it, and
// not for a job that is cached.
func TestWhoNeedsTheSnapshot(t *testing.T) {
	for _, found := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := onelane()
			guest(p, "a", []string{"deps"}, nil).Cache = true
			w := newWorld()
			c := w.config(p)
			asked, late := 0, false
			c.TakeSnapshot = func(context.Context) (event.SnapshotTaken, error) {
				return event.SnapshotTaken{ContentHash: "hash"}, nil
			}
			c.Run.OwnSnapshot = func(_ context.Context, hash string) error {
				asked++
				late = late || w.executed["prepare-a-runner"] > 0 && asked == 1
				if hash != "hash" {
					t.Errorf("hash %q", hash)
				}
				return nil
			}
			c.Results = fixed{"a": {found: found}}
			runtime.Run(t.Context(), c)
			if found != (asked == 0) || late {
				t.Errorf("found %v: asked %d times, late %v", found, asked, late)
			}
		})
	}
}

// A run whose snapshot can't be made its own carries nothing out.
func TestASnapshotThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", nil, nil)
		w := newWorld()
		c := w.config(p)
		c.Run.OwnSnapshot = func(context.Context, string) error { return errors.New("it was changed") }
		s, _ := runtime.Run(t.Context(), c)
		if s.ExitCode != runtime.ExitInfra || len(w.executed) > 0 {
			t.Errorf("%+v, executed %v", s, w.executed)
		}
	})
}
