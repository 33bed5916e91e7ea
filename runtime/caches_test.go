package runtime_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// lanesCaches are caches that another process has until a time.
type lanesCaches struct {
	t     *testing.T
	until time.Time
	held  map[string]string // by lane
	holds int
}

func (c *lanesCaches) Hold(j *runtime.JobContext) (func(), string, error) {
	if time.Now().Before(c.until) {
		return nil, "job j of run other", nil
	}
	if by := c.held[j.Lane.ID]; by != "" {
		c.t.Errorf("%s is asked for while %s has it", j.Lane.ID, by)
	}
	c.held[j.Lane.ID] = j.Job.ID
	c.holds++
	return func() { delete(c.held, j.Lane.ID) }, "", nil
}

// hostLane is a lane with two host jobs that keep their workspace, and one that
// does not; each takes a second.
func hostLane(w *world) *plan.Plan {
	p := &plan.Plan{Lanes: []plan.Lane{{ID: "l", Chosen: true, Trigger: plan.Branch, Jobs: []string{"a", "b", "free"}}}}
	for _, id := range p.Lanes[0].Jobs {
		p.Jobs = append(p.Jobs, plan.Job{ID: id, Lane: "l", TimeoutSecs: 100, HostCache: id != "free"})
		p.Nodes = append(p.Nodes, plan.Node{ID: plan.ExecuteID(id), Jobs: []string{id}, HostCommand: &plan.HostCommand{Job: id, Command: []string{"true"}}})
		w.sleeps(map[string]time.Duration{plan.ExecuteID(id): time.Second})
	}
	return p
}

func waitsFor(w *world) (told []event.CacheWaited) {
	for _, e := range w.events {
		if e.CacheWaited != nil {
			told = append(told, *e.CacheWaited)
		}
	}
	return told
}

// A job that waits for its lane's cache has no slot: with one slot, the job that
// needs none runs meanwhile.
func TestAJobThatWaitsForACacheHasNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := w.config(hostLane(w))
		c.Capacity.Commands = 1
		caches := &lanesCaches{t: t, until: time.Now().Add(10 * time.Second), held: map[string]string{}}
		c.Caches = caches
		began := time.Now()
		s, err := runtime.Run(t.Context(), c)
		took := time.Since(began)
		if err != nil || s.ExitCode != 0 || took < 12*time.Second || took > 13*time.Second || caches.holds != 2 || len(caches.held) > 0 {
			t.Errorf("after %s: %+v, %v; %d holds, %v", took, s, err, caches.holds, caches.held)
		}
		for _, e := range w.events {
			if e.JobFinished != nil && e.JobFinished.Job == "free" && e.Time.Sub(began) > 2*time.Second {
				t.Errorf("the job that needs no cache ended after %s", e.Time.Sub(began))
			}
		}
		told := waitsFor(w)
		if len(told) < 2 || told[0] != (event.CacheWaited{Job: "a", Lane: "l", Holder: "job j of run other"}) {
			t.Errorf("told %+v", told)
		}
	})
}

// Jobs of one run wait for one another, and begin at once.
func TestJobsOfALaneHaveItsCacheOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := w.config(hostLane(w))
		c.Capacity.Commands = 8
		caches := &lanesCaches{t: t, held: map[string]string{}}
		c.Caches = caches
		began := time.Now()
		s, err := runtime.Run(t.Context(), c)
		if err != nil || s.ExitCode != 0 || time.Since(began) != 2*time.Second || caches.holds != 2 {
			t.Errorf("after %s: %+v, %v; %d holds", time.Since(began), s, err, caches.holds)
		}
		if told := waitsFor(w); len(told) != 1 || told[0] != (event.CacheWaited{Job: "b", Lane: "l", Holder: "job a"}) {
			t.Errorf("told %+v", told)
		}
	})
}

func TestACancelEndsTheWaitForACache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := w.config(hostLane(w))
		c.Caches = &lanesCaches{t: t, until: time.Now().Add(time.Hour), held: map[string]string{}}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(runtime.ErrInterrupted) })
		if s, _ := runtime.Run(ctx, c); s.ExitCode != runtime.ExitInterrupted || s.Jobs[0].Verdict != event.Cancelled {
			t.Errorf("%+v", s)
		}
	})
}
