package report

import (
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// waits reports whether the step is a wait: nothing is usual of it.
func (s Step) waits() bool {
	return s.What == waitForSlot || s.What == waitForGroup || s.What == waitForCache || s.What == waitToStart
}

// waitsOf are the waits of a node that could have started at ready and did at
// began: for its lane's concurrency group, for what its lane keeps, and for the
// rest of the time for a slot.
func (l *lookup) waitsOf(n *plan.Node, ready, began time.Time) []Step {
	var steps []Step
	step := func(what string, from, to time.Time) *Step {
		if to.Sub(from) < minWait {
			return nil
		}
		steps = append(steps, Step{Node: n.ID, Job: jobOfNode(n), What: what, StartedAt: from, DurationMS: to.Sub(from).Milliseconds()})
		return &steps[len(steps)-1]
	}
	slot := func(to time.Time) {
		s := step(waitToStart, ready, to)
		if s == nil {
			return
		}
		if s.Holders = l.slotHolders(n, ready, to); len(s.Holders) > 0 {
			s.What = waitForSlot
		}
	}
	wait := func(what, group, holder string, from, to time.Time) {
		if from.Before(ready) {
			from = ready
		}
		if to.After(began) {
			to = began
		}
		if !from.Before(to) {
			return
		}
		slot(from)
		if s := step(what, from, to); s != nil {
			s.Group, s.Holders = group, []string{holder}
		}
		ready = to
	}
	for _, w := range l.groupWaits(l.laneOf(n), began) {
		wait(waitForGroup, w.Group, w.Holder, w.StartedAt, w.until)
	}
	if n.HostCommand != nil {
		waits := cacheWaits(l.run, n.HostCommand.Job)
		for i, w := range waits {
			until := began
			if i+1 < len(waits) {
				until = waits[i+1].StartedAt
			}
			wait(waitForCache, "", w.Holder, w.StartedAt, until)
		}
	}
	slot(began)
	return steps
}

// groupWait is a lane's wait, with its end.
type groupWait struct {
	record.GroupWait
	until time.Time
	// over says that the lane got the group.
	over bool
}

// groupWaits are a lane's waits for its group: each lasts until somebody else
// was seen to have it, or the lane's next instance or host command was begun.
func (l *lookup) groupWaits(lane string, now time.Time) []groupWait {
	var waits []groupWait
	for _, of := range l.run.Lanes {
		if of.ID != lane {
			continue
		}
		for i, w := range of.Waits {
			wait := groupWait{GroupWait: w, until: now}
			if begun := l.nextBegun(lane, w.StartedAt); !begun.IsZero() {
				wait.until, wait.over = begun, true
			}
			if i+1 < len(of.Waits) && of.Waits[i+1].StartedAt.Before(wait.until) {
				wait.until, wait.over = of.Waits[i+1].StartedAt, true
			}
			waits = append(waits, wait)
		}
	}
	return waits
}

// deletions are when the instances of jobs were gone; nil: one is not.
type deletions map[string]*time.Time

func deletionsOf(r record.Run) deletions {
	gone := make(deletions)
	for _, j := range r.Jobs {
		for _, ph := range j.Phases {
			if before, deleted := gone[j.ID]; ph.Phase == event.Delete && (!deleted || before != nil) {
				gone[j.ID] = ph.EndedAt
			}
		}
	}
	return gone
}

// slotEnd is when a job gave its slot back: a guest's keeps its slot until its
// instance is gone. ended is the end of its node.
func (d deletions) slotEnd(job string, ended *time.Time) *time.Time {
	gone, deleted := d[job]
	switch {
	case !deleted || ended == nil:
		return ended
	case gone == nil || gone.After(*ended):
		return gone
	}
	return ended
}

// maxHolders is how many of them a line names.
const maxHolders = 3

// several is "a, b and 2 more".
func several(names []string) string {
	if len(names) <= maxHolders {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:maxHolders], ", ") + " and " + count(len(names)-maxHolders, "other")
}

// waitsNow says what a job waits for that has no verdict and nothing under
// way; empty where that is not known.
func (l *lookup) waitsNow(job string, now time.Time) string {
	r, n := l.run, l.nodes[plan.ExecuteID(job)]
	if n == nil || beginning(r) && len(cacheWaits(r, job)) == 0 {
		return ""
	}
	ended := make(map[string]bool)
	for i := range r.Nodes {
		ended[r.Nodes[i].ID] = r.Nodes[i].EndedAt != nil
	}
	for _, w := range l.groupWaits(l.laneOf(n), now) {
		if !w.over {
			return "for group " + w.Group + ", had by " + w.Holder + ", for " + since(w.StartedAt, now)
		}
	}
	var open []string
	for _, d := range n.DependsOn {
		if !ended[d] {
			open = append(open, d)
		}
	}
	if len(open) > 0 {
		return "for " + several(open)
	}
	if waits := cacheWaits(r, job); len(waits) > 0 {
		w := waits[len(waits)-1]
		return "for what its lane keeps, had by " + w.Holder + ", for " + since(w.StartedAt, now)
	}
	what := "for a slot"
	if holders := l.slotHolders(n, now, now); len(holders) > 0 {
		what += ", had by " + several(holders)
	}
	return what
}

// beginning reports whether no node of the run may start yet.
func beginning(r record.Run) bool { return len(r.Nodes) == 0 }

// cacheWaits are a job's waits for what its lane keeps.
func cacheWaits(r record.Run, job string) []record.CacheWait {
	for i := range r.Jobs {
		if r.Jobs[i].ID == job {
			return r.Jobs[i].Waits
		}
	}
	return nil
}
