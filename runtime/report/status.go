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

// What a job without a verdict does, in the verdict's place.
const (
	running event.Verdict = "running"
	waiting event.Verdict = "waiting"
)

// Status writes what is known of a run: the end table of one that ended; of
// one that goes on or was killed, what was under way at its last event. The
// plan may be nil: it only knows the lanes of jobs that have not ended.
func Status(w io.Writer, past record.Past, p *plan.Plan, now time.Time, paint Paint) error {
	r := past.Run
	if r.FinishedAt != nil {
		return Table(w, r, paint)
	}
	asked, ended := now, past.State == record.Killed
	if ended {
		now = past.Last
	}
	lanes := make(map[string]string)
	if p != nil {
		for _, j := range p.Jobs {
			lanes[j.ID] = j.Lane
		}
	}
	if r.PrepareOnly {
		r.Jobs = nil // none will have a verdict
	}
	for i := range r.Jobs {
		if j := &r.Jobs[i]; j.Verdict == "" {
			j.Lane = lanes[j.ID]
			j.Verdict, j.Reason = underWay(r, j, now, ended)
			if ended {
				j.Verdict = "-"
			}
		}
	}
	if err := table(w, r, paint); err != nil {
		return err
	}
	_, err := io.WriteString(w, unfinished(past, now, asked))
	return err
}

// forHow says for how long something has gone on. Of a run that was killed that
// is not known: its last event may be that this began.
func forHow(started, now time.Time, killed bool) string {
	if killed {
		return ""
	}
	return " for " + since(started, now)
}

// underWay is what a job without a verdict does, or did when it was killed.
func underWay(r record.Run, j *record.JobRecord, now time.Time, killed bool) (event.Verdict, string) {
	if open := openPhase(j.Phases); open != nil {
		return running, string(open.Phase) + forHow(open.StartedAt, now, killed)
	}
	for _, id := range []string{plan.ExecuteID(j.ID), plan.PrepareRunnerID(j.ID)} {
		for _, n := range r.Nodes {
			if n.ID == id && n.StartedAt != nil && n.EndedAt == nil {
				return running, id + forHow(*n.StartedAt, now, killed)
			}
		}
	}
	if len(j.Phases) > 0 {
		return waiting, "its instance is ready"
	}
	return waiting, ""
}

// openPhase is the last phase that has not ended.
func openPhase(phases []record.PhaseRecord) *record.PhaseRecord {
	for i := range slices.Backward(phases) {
		if phases[i].EndedAt == nil {
			return &phases[i]
		}
	}
	return nil
}

// unfinished says what a run without an end was doing, and that it has none.
func unfinished(past record.Past, now, asked time.Time) string {
	var b strings.Builder
	r := past.Run
	if len(r.Jobs) > 0 {
		b.WriteString("\n")
	}
	was, killed := "under way", past.State == record.Killed
	if killed {
		was = "was under way"
	}
	if open := openPhase(r.Phases); open != nil {
		fmt.Fprintf(&b, "%s: %s%s%s\n", was, open.Phase, forHow(open.StartedAt, now, killed), colon(oneLine(open.Detail)))
	}
	for _, n := range r.Nodes {
		if open := openPhase(n.Phases); open != nil {
			fmt.Fprintf(&b, "%s: %s of %s%s\n", was, open.Phase, oneLine(n.ID), forHow(open.StartedAt, now, killed))
		}
	}
	for _, l := range r.Leases {
		fmt.Fprintf(&b, "holds: %s of job %s\n", oneLine(l.Name), oneLine(l.Job))
	}
	for _, l := range r.Left {
		fmt.Fprintf(&b, "left behind: %s; remove it with: %s\n", oneLine(l.Name), oneLine(l.Command))
	}
	writeKept(&b, r)
	stopping := ""
	if r.Interrupted != "" {
		stopping = ", " + oneLine(r.Interrupted)
	}
	fmt.Fprintf(&b, "run %s: %s%s: begun %s ago, last event %s ago\n", oneLine(r.ID), stateOf(past), stopping,
		since(r.StartedAt, asked), since(past.Last, asked))
	if killed {
		fmt.Fprintf(&b, "carry it on with: pikaci exec --resume %s%s\n", oneLine(r.ID), stateFlag(r))
	}
	fmt.Fprintf(&b, "record: %s\n", oneLine(r.RunDir))
	return b.String()
}

// stateOf is the word for a run without an end.
func stateOf(past record.Past) record.State {
	if past.State == "" {
		return record.Unfinished
	}
	return past.State
}

func since(t, now time.Time) string { return seconds(max(0, now.Sub(t).Milliseconds())) }
