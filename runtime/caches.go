package runtime

import (
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Caches are what lanes keep for their host jobs. One job has a lane's at a
// time, over all processes.
type Caches interface {
	// Hold takes what the job's lane keeps for the job, or says who has it.
	// Release ends the hold.
	Hold(j *JobContext) (release func(), holder string, err error)
}

// cacheHolds are the caches that jobs of the run hold, from before their command
// is begun until its node has ended. A job that waits for one has no slot.
type cacheHolds struct {
	jobs    map[*plan.Lane]*jobRun
	release map[*plan.Node]func()
	// told are waits that were journalled.
	told map[string]bool
}

// mayUseCache reports whether the node needs no cache, or just took its lane's.
func (r *run) mayUseCache(n *plan.Node) bool {
	if n.HostCommand == nil || r.Caches == nil {
		return true
	}
	j := r.byID[n.HostCommand.Job]
	if !j.Job.HostCache {
		return true
	}
	if other := r.caches.jobs[j.Lane]; other != nil {
		r.tellCacheWaiting(j, "job "+other.Job.ID)
		return false
	}
	release, holder, err := r.Caches.Hold(&j.JobContext)
	switch {
	case err != nil:
		return true // its executor finds the same, and says it
	case release == nil:
		r.groups.elsewhere = true
		r.tellCacheWaiting(j, holder)
		return false
	}
	r.caches.jobs[j.Lane] = j
	r.caches.release[n] = func() {
		delete(r.caches.jobs, j.Lane)
		delete(r.caches.release, n)
		release()
	}
	return true
}

// releaseCache ends the hold of a node that has ended, if it had one.
func (r *run) releaseCache(n *plan.Node) {
	if release := r.caches.release[n]; release != nil {
		release()
	}
}

func (r *run) tellCacheWaiting(j *jobRun, holder string) {
	if key := j.Job.ID + " " + holder; !r.caches.told[key] {
		r.caches.told[key] = true
		r.emit(event.Event{CacheWaited: &event.CacheWaited{Job: j.Job.ID, Lane: j.Lane.ID, Holder: holder}})
	}
}
