package compiler

import (
	"slices"

	"github.com/sledtools/pikaci/schema/plan"
)

// planJobs turns those jobs of a lane that take accepts into plan jobs, in
// authored order.
func planJobs(l *laneFile, shared []role, take func(job string) bool) []*plannedJob {
	roles := rolesOf(l, shared)
	var ordinary []string
	for i := range l.jobs {
		if j := &l.jobs[i]; !j.finally && take(j.id) {
			ordinary = append(ordinary, j.id)
		}
	}
	var out []*plannedJob
	for i := range l.jobs {
		j := &l.jobs[i]
		if !take(j.id) {
			continue
		}
		p := &plannedJob{job: planJob(l, roles, j), command: j.command, after: slices.Clone(j.needs)}
		if j.finally {
			for _, id := range ordinary {
				if !slices.Contains(p.after, id) {
					p.after = append(p.after, id)
				}
			}
		}
		out = append(out, p)
	}
	return out
}

func planJob(l *laneFile, roles map[string]role, j *jobFile) plan.Job {
	p := plan.Job{
		ID:                j.id,
		Lane:              l.id,
		Description:       j.description,
		TimeoutSecs:       j.timeoutSecs,
		SilenceSecs:       j.silenceSecs,
		User:              j.user,
		WorkingDir:        j.workingDir,
		Env:               j.env,
		Secrets:           j.secrets,
		Needs:             j.needs,
		Artifacts:         j.artifacts,
		WritableWorkspace: j.writableWorkspace,
		Retries:           j.retries,
		Cache:             reused(l, j),
		Finally:           j.finally,
		Reads:             j.reads,
		StagedPayloads:    stagedPayloads(l, roles, j),
	}
	if j.host {
		p.HostCache, p.DevShell = l.hostCache, l.devShell
	} else {
		incus := l.incus
		p.Incus = &incus
	}
	return p
}

// reused reports whether an earlier pass of the job may stand in: what the lane
// says, else whether all that the job can see is known by the plan.
func reused(l *laneFile, j *jobFile) bool {
	if j.cache != nil {
		return *j.cache
	}
	return !j.host && !j.finally && l.incus.Network == defaultNetwork && len(j.secrets) == 0
}

// neededBy is a job with all that it needs, directly or not.
func neededBy(l *laneFile, job string) map[string]bool {
	needed := map[string]bool{}
	var add func(id string)
	add = func(id string) {
		i := slices.IndexFunc(l.jobs, func(j jobFile) bool { return j.id == id })
		if i < 0 || needed[id] {
			return
		}
		needed[id] = true
		for _, n := range l.jobs[i].needs {
			add(n)
		}
	}
	add(job)
	return needed
}
