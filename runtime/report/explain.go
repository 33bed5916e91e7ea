package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// Explanation says why a job of a run ended, or stands, as it does.
type Explanation struct {
	Run  string `json:"run"`
	Job  string `json:"job"`
	Lane string `json:"lane"`
	// Chosen is why its lane was.
	Chosen string `json:"chosen"`
	event.Outcome
	// Now is what it does, if it has not ended.
	Now string `json:"now,omitempty"`
	// Reuse is whether an earlier pass stood in, and what its result hangs on.
	Reuse *event.ResultLookedUp `json:"reuse,omitempty"`
	// Changed are the first of the files that the pass which it differs from had
	// otherwise, where both runs' copies are there.
	Changed []string `json:"changed,omitempty"`
	// Retried are its earlier attempts.
	Retried []event.Outcome `json:"retried"`
	// Needs are the jobs and payloads that it waited for.
	Needs []Need `json:"needs"`
	// Groups are the waits of its lane for its concurrency group.
	Groups []GroupWait `json:"groups"`
	// Waited are the steps that led to its end, first to last.
	Waited    []Step               `json:"waited"`
	Artifacts int                  `json:"artifacts"`
	Refused   int                  `json:"refused"`
	Truncated []event.LogTruncated `json:"truncated"`

	host, began bool
}

// GroupWait is a lane's wait for its concurrency group, and who had it.
type GroupWait struct {
	record.GroupWait
	DurationMS int64 `json:"duration_ms"`
	// Over says that it has ended.
	Over bool `json:"over"`
}

// Need is something that a job needs, and how it ended.
type Need struct {
	Job  string `json:"job,omitempty"`
	Node string `json:"node,omitempty"`
	event.Outcome
	DurationMS int64 `json:"duration_ms"`
}

// Explain explains a job that the run took; false where plan or run lack it.
func Explain(past record.Past, p *plan.Plan, job string, now time.Time) (Explanation, bool) {
	r := past.Run
	if past.State == record.Killed {
		now = past.Last
	}
	i := slices.IndexFunc(r.Jobs, func(j record.JobRecord) bool { return j.ID == job })
	k := slices.IndexFunc(p.Jobs, func(j plan.Job) bool { return j.ID == job })
	if i < 0 || k < 0 {
		return Explanation{}, false
	}
	j, planned, l := &r.Jobs[i], &p.Jobs[k], newLookup(r, p)
	x := Explanation{Run: r.ID, Job: job, Lane: planned.Lane, Outcome: j.Outcome, Reuse: j.Result, host: planned.Host(),
		Retried: []event.Outcome{}, Groups: []GroupWait{}, Needs: needs(r, planned), Waited: l.path(plan.ExecuteID(job), now), Truncated: j.Truncated}
	if j.Verdict == "" {
		state, what := underWay(r, j, now, past.State == record.Killed)
		if state == waiting && past.State != record.Killed {
			if what == "" {
				what = l.waitsNow(job, now)
			}
		}
		if past.State == record.Killed {
			state = "killed"
		}
		x.Now = string(state) + colon(what)
	}
	for _, w := range l.groupWaits(x.Lane, now) {
		x.Groups = append(x.Groups, GroupWait{GroupWait: w.GroupWait, DurationMS: w.until.Sub(w.StartedAt).Milliseconds(), Over: w.over})
	}
	for _, l := range p.Lanes {
		if l.ID == x.Lane {
			x.Chosen = l.Reason
		}
	}
	for _, n := range r.Nodes {
		if n.ID == plan.ExecuteID(job) {
			x.began = n.StartedAt != nil
			x.Retried = append(x.Retried, n.Retried...)
		}
	}
	for _, a := range j.Artifacts {
		if a.Refused != "" {
			x.Refused++
		} else {
			x.Artifacts++
		}
	}
	return x, true
}

func needs(r record.Run, j *plan.Job) []Need {
	list := []Need{}
	for _, id := range j.Needs {
		n := Need{Job: id}
		for _, other := range r.Jobs {
			if other.ID == id {
				n.Outcome, n.DurationMS = other.Outcome, other.DurationMS
			}
		}
		list = append(list, n)
	}
	for _, s := range j.StagedPayloads {
		n := Need{Node: s.PrepareNodeID}
		for _, node := range r.Nodes {
			if node.ID == n.Node {
				n.Outcome = node.Outcome
				for _, ph := range node.Phases {
					n.DurationMS += ph.DurationMS
				}
			}
		}
		list = append(list, n)
	}
	return list
}

// WriteExplanation writes it for a person. last are the last lines of what the
// job printed, which may say more than all else.
func WriteExplanation(w io.Writer, x Explanation, last []string, paint Paint) error {
	var b strings.Builder
	verdict := paint.Verdict(x.Verdict, string(x.Verdict))
	if x.Verdict == "" {
		verdict = x.Now
	}
	fmt.Fprintf(&b, "job %s of lane %s: %s%s\n", x.Job, x.Lane, verdict, colon(why(x.Outcome)))
	for i, o := range x.Retried {
		fmt.Fprintf(&b, "  attempt %d: %s%s\n", i+1, paint.Verdict(o.Verdict, string(o.Verdict)), colon(why(o)))
	}
	if x.Chosen != "" {
		fmt.Fprintf(&b, "chosen: %s\n", oneLine(x.Chosen))
	}
	if line := reuse(x.Reuse, x.host && x.began); line != "" {
		fmt.Fprintf(&b, "reuse: %s\n", line)
	}
	if len(x.Changed) > 0 {
		fmt.Fprintf(&b, "changed since: %s\n", oneLine(strings.Join(x.Changed, ", ")))
	}
	for _, n := range x.Needs {
		what := n.Node
		if n.Job != "" {
			what = "job " + n.Job
		}
		if n.Verdict == "" {
			fmt.Fprintf(&b, "needs: %s, which has not ended\n", what)
			continue
		}
		fmt.Fprintf(&b, "needs: %s: %s in %s%s\n", what, paint.Verdict(n.Verdict, string(n.Verdict)), seconds(n.DurationMS), colon(why(n.Outcome)))
	}
	for _, g := range x.Groups {
		fmt.Fprintf(&b, "its lane waited: for group %s, had by %s, for %s\n", oneLine(g.Group), oneLine(g.Holder), seconds(g.DurationMS))
	}
	if x.Artifacts+x.Refused > 0 {
		fmt.Fprintf(&b, "artifacts: %d, refused: %d\n", x.Artifacts, x.Refused)
	}
	for _, t := range x.Truncated {
		fmt.Fprintf(&b, "cut off: %s: %s over the runner's ceiling\n", t.Stream, size(t.Bytes))
	}
	if len(x.Waited) > 0 {
		b.WriteString("what its end had to wait for:\n")
		writeSteps(&b, x.Waited)
	}
	if len(last) > 0 {
		b.WriteString("its last lines:\n")
		for _, line := range last {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeSteps writes a table: when after the first each step began, how long it
// took, and what it was.
func writeSteps(b *strings.Builder, steps []Step) {
	begun := steps[0].StartedAt
	for _, s := range steps {
		what := s.name()
		var phases []string
		for _, ph := range s.Phases {
			phases = append(phases, fmt.Sprintf("%s %s", ph.Phase, seconds(ph.DurationMS)))
		}
		if len(phases) > 0 {
			what += " (" + strings.Join(phases, ", ") + ")"
		}
		fmt.Fprintf(b, "  at %-7s for %-7s %s\n", seconds(s.StartedAt.Sub(begun).Milliseconds()), seconds(s.DurationMS), oneLine(what))
	}
}
