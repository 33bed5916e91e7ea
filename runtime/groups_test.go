package runtime_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// lanesOf makes lanes with the groups, each with as many jobs.
func lanesOf(jobs int, groups ...string) *plan.Plan {
	p := &plan.Plan{}
	for i, g := range groups {
		p.Lanes = append(p.Lanes, plan.Lane{ID: fmt.Sprint("l", i), Chosen: true, Trigger: plan.Branch, ConcurrencyGroup: g})
	}
	for i := range groups {
		for j := range jobs {
			id := fmt.Sprintf("j%d-%d", i, j)
			guest(p, id, nil, nil)
			p.Jobs[len(p.Jobs)-1].Lane = fmt.Sprint("l", i)
			p.Lanes[0].Jobs = p.Lanes[0].Jobs[:0]
		}
	}
	for i := range p.Jobs {
		for l := range p.Lanes {
			if p.Lanes[l].ID == p.Jobs[i].Lane {
				p.Lanes[l].Jobs = append(p.Lanes[l].Jobs, p.Jobs[i].ID)
			}
		}
	}
	return p
}

func TestLanesOfOneGroupRunOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := lanesOf(2, "android", "android", "", "other")
		w := newWorld()
		for _, n := range p.Nodes {
			w.sleeps(map[string]time.Duration{n.ID: time.Second})
		}
		c := w.config(p)
		c.Capacity.Commands = 8
		began := time.Now()
		s, err := runtime.Run(t.Context(), c)
		// Two seconds for each lane; those of one group take four.
		if err != nil || s.ExitCode != 0 || time.Since(began) != 4*time.Second {
			t.Errorf("after %s: %+v, %v", time.Since(began), s, err)
		}
		for _, e := range w.events {
			if g := e.GroupWaited; g != nil && (g.Lane != "l1" || g.Group != "android" || g.Holder != "lane l0") {
				t.Errorf("%+v", g)
			}
		}
	})
}

// elsewhere holds a group in another process until a time.
type elsewhere struct {
	until time.Time
	taken int
}

func (e *elsewhere) Take(string) (func(), string, error) {
	if time.Now().Before(e.until) {
		return nil, "run other", nil
	}
	e.taken++
	return func() { e.taken-- }, "", nil
}

func TestAGroupOfAnotherProcessIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := lanesOf(1, "android")
		w := newWorld()
		c := w.config(p)
		groups := &elsewhere{until: time.Now().Add(10 * time.Second)}
		c.Groups = groups
		began := time.Now()
		s, err := runtime.Run(t.Context(), c)
		if took := time.Since(began); err != nil || s.ExitCode != 0 || took < 10*time.Second || took > 11*time.Second || groups.taken != 0 {
			t.Errorf("after %s: %+v, %v; %d holds", took, s, err, groups.taken)
		}
		waited := 0
		for _, e := range w.events {
			if e.GroupWaited != nil {
				waited++
			}
		}
		if waited != 1 {
			t.Errorf("it is told %d times", waited)
		}
	})
}

func TestACancelEndsTheWaitForAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		c := w.config(lanesOf(1, "android"))
		c.Groups = &elsewhere{until: time.Now().Add(time.Hour)}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(runtime.ErrInterrupted) })
		if s, _ := runtime.Run(ctx, c); s.ExitCode != runtime.ExitInterrupted || s.Jobs[0].Verdict != event.Cancelled {
			t.Errorf("%+v", s)
		}
	})
}

// TestGroupsNeitherOverlapNorStop holds lanes of random groups, whose jobs need
// one another's across lanes, against both.
func TestGroupsNeitherOverlapNorStop(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var groups []string
		for range rapid.IntRange(1, 5).Draw(rt, "lanes") {
			groups = append(groups, rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "group"))
		}
		p := lanesOf(rapid.IntRange(1, 3).Draw(rt, "jobs"), groups...)
		order := rapid.Permutation(p.Jobs).Draw(rt, "order")
		nodes := map[string]*plan.Node{}
		for i := range p.Nodes {
			nodes[p.Nodes[i].ID] = &p.Nodes[i]
		}
		// Nodes in an order of their own, with needs backwards in it.
		var sorted []plan.Node
		for i, j := range order {
			execute := nodes[plan.ExecuteID(j.ID)]
			for k := range i {
				if rapid.IntRange(0, 3).Draw(rt, "needs") == 0 {
					execute.DependsOn = append(execute.DependsOn, plan.ExecuteID(order[k].ID))
				}
			}
			sorted = append(sorted, *nodes[plan.PrepareRunnerID(j.ID)], *execute)
		}
		p.Nodes = sorted
		laneOf := map[string]string{}
		groupOf := map[string]string{}
		for i, l := range p.Lanes {
			groupOf[l.ID] = groups[i]
		}
		for _, j := range p.Jobs {
			laneOf[j.ID] = j.Lane
		}
		w := newWorld()
		for _, n := range p.Nodes {
			w.sleeps(map[string]time.Duration{n.ID: time.Duration(1+len(w.script)%3) * time.Second})
		}
		c := w.config(p)
		c.Capacity.Commands = rapid.IntRange(1, 4).Draw(rt, "parallel")
		synctest.Test(t, func(t *testing.T) {
			if s, err := runtime.Run(context.Background(), c); err != nil || s.ExitCode != 0 {
				rt.Fatalf("%+v, %v", s, err)
			}
		})
		running := map[string]string{} // command node to lane
		for _, e := range w.events {
			if f := e.NodeFinished; f != nil {
				delete(running, f.Node)
			}
			if s := e.NodeStarted; s != nil && nodes[s.Node].GuestCommand != nil {
				lane := laneOf[nodes[s.Node].Jobs[0]]
				for _, other := range running {
					if other != lane && groupOf[lane] != "" && groupOf[other] == groupOf[lane] {
						rt.Fatalf("lanes %s and %s of group %s run together", lane, other, groupOf[lane])
					}
				}
				running[s.Node] = lane
			}
		}
	})
}
