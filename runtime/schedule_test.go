package runtime_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

func TestTheLongestRemainingPathStartsFirst(t *testing.T) {
	p := onelane()
	for _, id := range []string{"a", "b", "new", "c"} {
		guest(p, id, nil, nil)
	}
	guest(p, "after-a", nil, []string{"a"})
	w := newWorld()
	c := w.config(p)
	c.Capacity.Commands = 1
	c.Durations = map[string]time.Duration{}
	for i, n := range p.Nodes { // no two alike: the order does not hang on a race
		c.Durations[n.ID] = time.Duration(10+i) * time.Millisecond
	}
	c.Durations["execute-a"], c.Durations["execute-after-a"] = 2*time.Second, 9*time.Second
	c.Durations["execute-b"], c.Durations["execute-c"] = time.Second, 10*time.Second
	delete(c.Durations, "execute-new")
	synctest.Test(t, func(t *testing.T) {
		w.sleeps(c.Durations)
		if _, err := runtime.Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	})
	var got []string
	for _, e := range w.events {
		if e.NodeStarted != nil && e.NodeStarted.Node[0] == 'e' {
			got = append(got, e.NodeStarted.Node)
		}
	}
	// a has 11 s to go with what waits for it; new is taken for the mean, 2.4 s.
	if want := "[execute-a execute-c execute-after-a execute-new execute-b]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// sleeps makes each node take its time.
func (w *world) sleeps(took map[string]time.Duration) {
	for id, d := range took {
		w.script[id] = func(context.Context, int) (event.Outcome, error) {
			time.Sleep(d)
			return event.Outcome{Verdict: event.Passed}, nil
		}
	}
}

// nineLanes is the shape of the lanes that this tool was made for: their jobs,
// three of the lanes with the same payloads.
func nineLanes() *plan.Plan {
	p := onelane()
	payloads := []string{"rust", "followup", "notifications", "contracts", "rmp", "chat", "chat", "chat", "fixture"}
	for lane, jobs := range []int{2, 6, 1, 3, 1, 10, 1, 1, 2} {
		for j := range jobs {
			of := payloads[lane]
			guest(p, fmt.Sprintf("job-%d-%d", lane, j), []string{of + "-deps", of + "-build"}, nil)
		}
	}
	return p
}

// TestTheMakespanIsNearTheBestPossible holds the time of runs whose durations
// are known against what no schedule can beat: the longest path, and the work
// divided by the slots.
func TestTheMakespanIsNearTheBestPossible(t *testing.T) {
	const slots = 4
	worst := 0.0
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 27))
		p := nineLanes()
		took := map[string]time.Duration{}
		var work [2]time.Duration
		longest := map[string]time.Duration{}
		bound := time.Duration(0)
		for _, n := range p.Nodes {
			d := 2 * time.Second
			switch {
			case n.NixBuild != nil:
				d = time.Duration(5+random.IntN(85)) * time.Second
				work[0] += d
			case n.GuestCommand != nil:
				d = time.Duration(20+random.IntN(580)) * time.Second
				work[1] += d
			}
			took[n.ID] = d
			for _, dep := range n.DependsOn {
				longest[n.ID] = max(longest[n.ID], longest[dep])
			}
			longest[n.ID] += d
			bound = max(bound, longest[n.ID])
		}
		bound = max(bound, work[0]/slots, work[1]/slots)
		w := newWorld()
		w.sleeps(took)
		synctest.Test(t, func(t *testing.T) {
			c := w.config(p)
			c.Capacity.Commands, c.Durations = slots, took
			began := time.Now()
			if s, err := runtime.Run(t.Context(), c); err != nil || s.ExitCode != 0 {
				t.Fatalf("%+v, %v", s, err)
			}
			worst = max(worst, float64(time.Since(began))/float64(bound))
		})
	}
	t.Logf("at most %.3f of the best possible", worst)
	if worst > 1.10 {
		t.Errorf("%.3f of the best possible", worst)
	}
}

// TestSmallJobsGoBeforeOneThatDoesNotFit runs four jobs on four processors: the
// one that needs all of them is the first by its remaining path.
func TestSmallJobsGoBeforeOneThatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		took := map[string]time.Duration{}
		for id, cpus := range map[string]int{"first": 2, "large": 4, "small": 1, "tiny": 1} {
			guest(p, id, nil, nil).Incus.CPUs = cpus
			took["execute-"+id] = 10 * time.Second
		}
		took["execute-first"], took["execute-large"] = 60*time.Second, 50*time.Second
		w := newWorld()
		w.sleeps(took)
		c := w.config(p)
		c.Capacity, c.Durations = runtime.Capacity{CPUs: 4, MemoryMiB: 1024}, took
		began := time.Now()
		if s, err := runtime.Run(t.Context(), c); err != nil || s.ExitCode != 0 {
			t.Fatalf("%+v, %v", s, err)
		}
		if d := time.Since(began); d != 110*time.Second {
			t.Errorf("took %s, want 110s: small and tiny beside first, large after them", d)
		}
	})
}
