package runtime

import (
	"context"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Adopter finds again what an executor handed to a run whose owner was killed.
type Adopter interface {
	// Adopt readies the instance of a lease for its job's command, as if it
	// had just been made; begun says that the command may have been begun in
	// it, which is then followed to its end, not begun again. False means that
	// it is gone, or that nothing can be proved by it: it is to be replaced.
	Adopt(ctx context.Context, l event.Lease, begun bool) (bool, error)
}

// interruptedError is an interruption that an earlier owner journalled.
type interruptedError struct{ reason string }

func (e *interruptedError) Error() string        { return e.reason }
func (e *interruptedError) Is(target error) bool { return target == ErrInterrupted }

// resume takes over what an earlier owner journalled: nodes that ended have
// ended, and what is held is held. A run that was asked to stop is still to
// stop.
func (r *run) resume() {
	p := r.Resume
	r.emit(event.Event{Resumed: &event.Resumed{Pikaci: r.Version, Finished: p.ended(), Torn: r.Torn}})
	for job, l := range p.Leases {
		if r.byID[job] != nil {
			r.leases[job] = l
			// One that is made anew takes its place as it starts.
			if p.outcome(plan.PrepareRunnerID(job)) != nil {
				r.house(r.byID[job])
			}
		}
	}
	for _, st := range r.states.order {
		n := p.Nodes[st.node.ID]
		if n == nil {
			continue
		}
		if !st.node.Prepares() {
			r.commandBegins(r.byID[st.node.Jobs[0]], n.Since)
		}
		// It may have ended already, by the end of one that it waits for.
		if n.Outcome != nil && st.state != ended {
			r.endNode(st.node, *n.Outcome)
			r.endSkipped(r.states.end(st, n.Outcome.Verdict))
		}
	}
	r.skipDoomed()
	if p.Interrupted != "" {
		r.cancel(&interruptedError{p.Interrupted})
	}
	for _, o := range r.outcomes {
		if r.FailFast && o.Verdict == event.Failed {
			r.cancel(ErrFailFast)
		}
	}
}

// ended counts the nodes that ended.
func (p *Progress) ended() int {
	n := 0
	for _, node := range p.Nodes {
		if node.Outcome != nil {
			n++
		}
	}
	return n
}

// outcome is how a node ended under an earlier owner; nil where it did not, and
// where there was none.
func (p *Progress) outcome(node string) *event.Outcome {
	if p == nil || p.Nodes[node] == nil {
		return nil
	}
	return p.Nodes[node].Outcome
}

// attempt is the attempt at which a node goes on.
func (p *Progress) attempt(node string) int {
	if p == nil || p.Nodes[node] == nil || p.Nodes[node].Attempt == 0 {
		return 1
	}
	if n := p.Nodes[node]; n.Retried {
		return n.Attempt + 1
	}
	return p.Nodes[node].Attempt
}

// takeUp makes ready what an earlier owner left of a node; an outcome means
// that this did not work. What it half made is made anew, and a command that
// it began is followed.
func (r *run) takeUp(ctx context.Context, t Task) *event.Outcome {
	if r.Resume == nil {
		return nil
	}
	if t.Node.IncusInstance != nil {
		r.release(ctx, t.Job().Job.ID)
		return nil
	}
	job := ""
	if t.Node.GuestCommand != nil {
		job = t.Job().Job.ID
	}
	// An instance that this owner made is ready.
	if job == "" || r.Resume.outcome(plan.PrepareRunnerID(job)) == nil {
		return nil
	}
	n := r.Resume.node(t.Node.ID)
	l, held := r.Resume.Leases[job]
	// Without a uuid it was never seen whole.
	if r.Adopter != nil && held && l.UUID != "" && !n.Retried {
		switch ready, err := r.Adopter.Adopt(ctx, l, n.Begun); {
		case err != nil && ctx.Err() != nil:
			o := cutShort(context.Cause(ctx))
			return &o
		case err != nil:
			o := infra(err)
			return &o
		case ready:
			return nil
		}
	}
	return r.freshInstance(ctx, t)
}

// releaseAll takes back all that is held, when no node was even begun.
func (r *run) releaseAll() {
	r.mu.Lock()
	var jobs []string
	for job := range r.leases {
		jobs = append(jobs, job)
	}
	r.mu.Unlock()
	for _, job := range jobs {
		r.release(context.Background(), job)
	}
}
