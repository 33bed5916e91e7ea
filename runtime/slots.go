package runtime

import "github.com/sledtools/pikaci/schema/plan"

// Carries is how many commands of the plan a host of that many processors and
// mebibytes of memory carries at one time: at least one, and as many as fit if
// each were the largest.
func Carries(p *plan.Plan, cpus, memoryMiB int) int {
	needCPUs, needMemory := 1, 1
	for i := range p.Jobs {
		if in := p.Jobs[i].Incus; in != nil {
			needCPUs = max(needCPUs, in.CPUs)
			m, _ := in.MemoryMiB() // Check held it
			needMemory = max(needMemory, m)
		}
	}
	return max(1, min(cpus/needCPUs, memoryMiB/needMemory))
}
