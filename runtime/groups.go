package runtime

import (
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Groups are the concurrency groups of the host.
type Groups interface {
	// Take takes a group, or says who has it. Release ends a hold.
	Take(group string) (release func(), holder string, err error)
}

// groupPause is how long a group that another process holds is left before it
// is asked for again.
const groupPause = 250 * time.Millisecond

// groupHolds are the concurrency groups that the run's lanes hold. A lane takes
// its group with its first instance or host command, and holds it until its
// last job is over. Payloads belong to no group: many lanes may share one.
type groupHolds struct {
	lanes   map[string]*plan.Lane // by group
	release map[string]func()
	// told are groups that it was said of that they are waited for.
	told map[string]bool
	// elsewhere: another process holds a group, or a cache, that is wanted.
	elsewhere bool
}

// mayStart reports whether the node's lane has its group and its cache, or just
// took them.
func (r *run) mayStart(n *plan.Node) bool { return r.hasGroup(n) && r.mayUseCache(n) }

func (r *run) hasGroup(n *plan.Node) bool {
	if n.NixBuild != nil {
		return true
	}
	lane := r.byID[n.Jobs[0]].Lane
	g := lane.ConcurrencyGroup
	if g == "" {
		return true
	}
	if holder := r.groups.lanes[g]; holder != nil {
		if holder != lane {
			r.tellWaiting(lane, "lane "+holder.ID)
		}
		return holder == lane
	}
	release := func() {}
	if r.Groups != nil {
		taken, holder, err := r.Groups.Take(g)
		switch {
		case err != nil && r.begun[lane]:
			// It cleans up; that comes before the group.
		case err != nil:
			r.cancel(err)
			return false
		case taken == nil:
			r.groups.elsewhere = true
			r.tellWaiting(lane, holder)
			return false
		}
		if taken != nil {
			release = taken
		}
	}
	r.groups.lanes[g], r.groups.release[g] = lane, release
	return true
}

func (r *run) tellWaiting(lane *plan.Lane, holder string) {
	if key := lane.ID + " " + holder; !r.groups.told[key] {
		r.groups.told[key] = true
		r.emit(event.Event{GroupWaited: &event.GroupWaited{Lane: lane.ID, Group: lane.ConcurrencyGroup, Holder: holder}})
	}
}

// releaseGroups lets go of the groups of lanes that are over. Where nothing is
// under way, it lets go of all: their lanes wait for jobs of others, which may
// wait for these very groups.
func (r *run) releaseGroups() {
	for g, lane := range r.groups.lanes {
		if r.workers == 0 || r.laneOver(lane) {
			r.groups.release[g]()
			delete(r.groups.lanes, g)
		}
	}
	r.states.unpark()
}

func (r *run) laneOver(lane *plan.Lane) bool {
	for _, j := range r.jobs {
		if j.Lane == lane && (j.finished == nil || j.active > 0 || j.releasing) {
			return false
		}
	}
	return true
}

// waitsElsewhere is when to ask again for a group of another process.
func (r *run) waitsElsewhere() <-chan time.Time {
	if !r.groups.elsewhere {
		return nil
	}
	r.groups.elsewhere = false
	return time.After(groupPause)
}
