package runtime

import "github.com/sledtools/pikaci/schema/plan"

// expectPayloads counts the builds that each job waits for.
func (r *run) expectPayloads() {
	for _, st := range r.states.order {
		for _, j := range r.builtFor(st.node) {
			j.unbuilt++
		}
	}
	for _, j := range r.jobs {
		j.staged = make(chan struct{})
		if j.unbuilt == 0 {
			close(j.staged)
		}
	}
}

// payloadEnded tells the jobs that a build is over, whatever came of it.
func (r *run) payloadEnded(n *plan.Node) {
	for _, j := range r.builtFor(n) {
		if j.unbuilt--; j.unbuilt == 0 {
			close(j.staged)
		}
	}
}

// builtFor are the jobs that wait for a node's build.
func (r *run) builtFor(n *plan.Node) []*jobRun {
	if n.NixBuild == nil {
		return nil
	}
	var list []*jobRun
	for _, id := range n.Jobs {
		if j := r.byID[id]; j != nil {
			list = append(list, j)
		}
	}
	return list
}
