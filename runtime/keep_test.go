package runtime_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// keeper keeps what it is asked to, or says why not.
type keeper struct {
	err  error
	mu   sync.Mutex
	kept map[string]time.Time
}

func (k *keeper) Keep(_ context.Context, l event.Lease, until time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.kept[l.Job] = until
	}
	return k.err
}

// TestKeep: of each verdict, whose instance is kept, journalled, and left where
// it is; and that all others are taken back.
func TestKeep(t *testing.T) {
	for name, tt := range map[string]struct {
		keep    runtime.Keep
		fails   error
		brokeAt string // a node that can't be carried out
		want    map[string]bool
	}{
		"none":        {runtime.KeepNone, nil, "", nil},
		"failed":      {runtime.KeepFailed, nil, "", map[string]bool{"bad": true}},
		"always":      {runtime.KeepAlways, nil, "", map[string]bool{"good": true, "bad": true}},
		"can't":       {runtime.KeepAlways, errors.New("no"), "", nil},
		"never begun": {runtime.KeepAlways, nil, "prepare-bad-runner", map[string]bool{"good": true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, k := newWorld(), &keeper{err: tt.fails, kept: map[string]time.Time{}}
				w.script["execute-bad"] = func(context.Context, int) (event.Outcome, error) {
					return event.Outcome{Verdict: event.Failed, Failure: event.Test}, nil
				}
				if tt.brokeAt != "" {
					w.script[tt.brokeAt] = func(context.Context, int) (event.Outcome, error) { return event.Outcome{}, errors.New("broken") }
				}
				c := w.config(keepPlan())
				c.Keeper, c.Keep, c.KeepFor = k, tt.keep, time.Hour
				c.OpenJob = func(j *runtime.JobContext) (func() error, error) {
					j.Logs.Host = io.Discard
					return func() error { return nil }, nil
				}
				if _, err := runtime.Run(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				kept := map[string]bool{}
				for _, e := range w.events {
					if e.LeaseKept != nil {
						kept[e.LeaseKept.Job] = true
						if left := time.Until(e.LeaseKept.Until); left <= 0 || left > time.Hour {
							t.Errorf("kept for %s", left)
						}
					}
				}
				for _, job := range []string{"good", "bad"} {
					if kept[job] != tt.want[job] || w.made["i-"+job] != tt.want[job] {
						t.Errorf("%s: kept %t, there %t, want %t", job, kept[job], w.made["i-"+job], tt.want[job])
					}
				}
			})
		})
	}
}

// TestKeepNothingOfAStoppedRun: whoever stops a run wants all of it gone.
func TestKeepNothingOfAStoppedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, k := newWorld(), &keeper{kept: map[string]time.Time{}}
		ctx, cancel := context.WithCancelCause(t.Context())
		w.script["execute-bad"] = func(ctx context.Context, _ int) (event.Outcome, error) {
			cancel(runtime.ErrInterrupted)
			<-ctx.Done()
			return event.Outcome{}, context.Cause(ctx)
		}
		c := w.config(keepPlan())
		c.Keeper, c.Keep, c.KeepFor, c.Capacity.Commands = k, runtime.KeepAlways, time.Hour, 1
		c.Job = "bad"
		runtime.Run(ctx, c)
		if len(k.kept) != 0 || w.made["i-bad"] {
			t.Errorf("kept %v, there %v", k.kept, w.made)
		}
	})
}

// TestKeptIsNotTheRunsAnyMore: whoever resumes the run does not hold it.
func TestKeptIsNotTheRunsAnyMore(t *testing.T) {
	var p runtime.Progress
	l := event.Lease{Kind: "incus_instance", Name: "i-bad", Job: "bad", UUID: "u"}
	p.Add(event.Event{LeaseIntended: &l})
	p.Add(event.Event{LeaseTaken: &l})
	p.Add(event.Event{LeaseKept: &event.LeaseKept{Lease: l}})
	if len(p.Leases) != 0 {
		t.Errorf("holds %+v", p.Leases)
	}
}

func keepPlan() *plan.Plan {
	p := &plan.Plan{Lanes: []plan.Lane{{ID: "l", Chosen: true, Jobs: []string{"good", "bad"}}}}
	for _, id := range p.Lanes[0].Jobs {
		p.Jobs = append(p.Jobs, plan.Job{ID: id, Lane: "l",
			Incus: &plan.Incus{Image: "i", InstanceType: plan.Container, CPUs: 1, Memory: "1GiB", Network: "none"}})
		p.Nodes = append(p.Nodes,
			plan.Node{ID: plan.PrepareRunnerID(id), Jobs: []string{id}, IncusInstance: &plan.IncusInstance{Job: id}},
			plan.Node{ID: plan.ExecuteID(id), Jobs: []string{id}, DependsOn: []string{plan.PrepareRunnerID(id)},
				GuestCommand: &plan.GuestCommand{Job: id, Command: []string{"true"}}})
	}
	return p
}

// marks keeps instances of a world.
type marks struct{ w *world }

func (m marks) Keep(context.Context, event.Lease, time.Time) error { return nil }

// Whenever it is killed and resumed, what a run says that it kept is there, once
// for each job, and nothing else is.
func TestAnyRunThatKeepsAndIsKilled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		jobs := rapid.IntRange(1, 5).Draw(rt, "jobs")
		p := drawPlan(rt, jobs)
		w := newWorld()
		for _, n := range p.Nodes {
			w.script[n.ID] = drawScript(rt, &n)
		}
		keep := rapid.SampledFrom([]runtime.Keep{runtime.KeepFailed, runtime.KeepAlways}).Draw(rt, "keep")
		carryOut := func(w *world, resume *runtime.Progress) {
			c := w.config(p)
			c.Adopter, c.Keeper, c.Keep, c.KeepFor, c.Resume = w, marks{w}, keep, time.Hour, resume
			synctest.Test(t, func(*testing.T) { runtime.Run(context.Background(), c) })
		}
		w.killedAt = rapid.IntRange(2, 60).Draw(rt, "killed at")
		carryOut(w, nil)
		for kills := rapid.IntRange(0, 2).Draw(rt, "further kills"); ; kills-- {
			next, progress := w.next()
			if progress.Finished != nil {
				break
			}
			if kills > 0 {
				next.killedAt = len(next.events) + rapid.IntRange(1, 20).Draw(rt, "killed after")
			}
			carryOut(next, &progress)
			w = next
		}
		kept := map[string]bool{}
		for _, e := range w.events {
			if e.LeaseKept != nil {
				if kept[e.LeaseKept.Name] {
					rt.Fatalf("%s is kept twice", e.LeaseKept.Name)
				}
				kept[e.LeaseKept.Name] = true
			}
			if f := e.JobFinished; f != nil && kept["i-"+f.Job] {
				rt.Fatalf("%s was kept before its job ended", f.Job)
			}
		}
		for name, there := range w.made {
			if there != kept[name] {
				rt.Fatalf("%s: there %t, kept %t", name, there, kept[name])
			}
		}
		for _, e := range w.events {
			if f := e.JobFinished; f != nil && kept["i-"+f.Job] && f.Verdict != event.Failed && (keep == runtime.KeepFailed || f.Verdict != event.Passed) {
				rt.Fatalf("%s is kept, and it %s", f.Job, f.Verdict)
			}
		}
	})
}
