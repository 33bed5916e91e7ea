package runtime

import (
	"slices"

	"github.com/sledtools/pikaci/schema/plan"
)

// Capacity is what of a host a run may use at one time.
type Capacity struct {
	// Commands at one time; 0: as many as the rest allows.
	Commands int
	// CPUs and MemoryMiB (mebibytes) that the jobs' instances may ask for
	// together; 0: not looked at. A host job counts for one processor. What
	// asks for more than there is runs alone.
	CPUs, MemoryMiB int
}

// builds is how many builds go on at one time: each is Nix with processors of
// its own choice.
func (c Capacity) builds() int {
	if c.CPUs == 0 {
		return max(1, c.Commands)
	}
	return max(1, min(c.CPUs/2, c.commands()))
}

func (c Capacity) commands() int {
	if c.Commands == 0 {
		return int(^uint(0) >> 1)
	}
	return c.Commands
}

// slots are jobs that use, or are to use, a part of a capacity.
type slots struct {
	Capacity
	jobs, cpus, memoryMiB int
}

func needs(j *plan.Job) (cpus, memoryMiB int) {
	if j.Host() {
		return 1, 0
	}
	memoryMiB, _ = j.Incus.MemoryMiB() // Check held it
	return j.Incus.CPUs, memoryMiB
}

func (s *slots) take(j *plan.Job) { s.add(j, 1) }
func (s *slots) free(j *plan.Job) { s.add(j, -1) }

func (s *slots) add(j *plan.Job, sign int) {
	cpus, memoryMiB := needs(j)
	s.jobs += sign
	s.cpus += sign * cpus
	s.memoryMiB += sign * memoryMiB
}

// room reports whether anything may fit at all.
func (s *slots) room() bool {
	return s.jobs < s.commands() && (s.CPUs == 0 || s.cpus < s.CPUs) && (s.MemoryMiB == 0 || s.memoryMiB < s.MemoryMiB) || s.jobs == 0
}

// fits reports whether the job does, beside the others. Alone, each does.
func (s *slots) fits(j *plan.Job) bool {
	cpus, memoryMiB := needs(j)
	return s.jobs == 0 || s.jobs < s.commands() &&
		(s.CPUs == 0 || s.cpus+cpus <= s.CPUs) && (s.MemoryMiB == 0 || s.memoryMiB+memoryMiB <= s.MemoryMiB)
}

// hasSlot reports whether one more node of the class may start, if it is small
// enough.
func (r *run) hasSlot(c class) bool {
	switch c {
	case classBuild:
		return r.builds < r.Capacity.builds()
	case classInstance:
		next, ahead := r.housing()
		return len(r.housed) <= r.Capacity.commands() && (ahead == 0 || next.room())
	}
	return r.running.room()
}

// fits reports whether a node's job does, beside the others. One that does not
// is passed over by smaller ones. Instances are made for commands that fit, and
// one ahead: the next command finds its own ready, and a plan of a hundred jobs
// does not fill the pool with instances that wait. What others need comes first
// (its remaining path is longer), so jobs that wait can't keep the job that they
// wait for from an instance.
func (r *run) fits(n *plan.Node) bool {
	switch classOf(n) {
	case classBuild:
		return true
	case classInstance:
		next, ahead := r.housing()
		return ahead == 0 || next.fits(r.byID[n.Jobs[0]].Job)
	}
	return r.running.fits(r.byID[n.Jobs[0]].Job)
}

// housing is what runs with all that has an instance and fits beside it, and
// how many have one that do not.
func (r *run) housing() (next slots, ahead int) {
	next = r.running
	for _, j := range r.waiting {
		if next.fits(j.Job) {
			next.take(j.Job)
		} else {
			ahead++
		}
	}
	return next, ahead
}

// house says that a job has an instance, or one under way; settle that it waits
// for nothing in it any more.
func (r *run) house(j *jobRun) {
	if !r.housed[j.Job.ID] {
		r.housed[j.Job.ID] = true
		r.waiting = append(r.waiting, j)
	}
}

func (r *run) settle(j *jobRun) {
	r.waiting = slices.DeleteFunc(r.waiting, func(w *jobRun) bool { return w == j })
}
