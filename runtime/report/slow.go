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

// Slow says what the end of a run had to wait for, and how long the same took
// in other runs.
type Slow struct {
	Run        string `json:"run"`
	DurationMS int64  `json:"duration_ms"`
	// Compared are the ids of the other runs.
	Compared []string `json:"compared"`
	// UsualMS is the median of the other runs; nil where there is none.
	UsualMS *int64     `json:"usual_ms,omitempty"`
	Steps   []SlowStep `json:"steps"`
}

// SlowStep is a step of the critical path.
type SlowStep struct {
	Step
	// UsualMS is the median of the same step in the other runs; of a wait
	// nothing is usual.
	UsualMS *int64 `json:"usual_ms,omitempty"`
	// Parts are the times of its phases, each with what is usual.
	Parts []SlowPart `json:"parts,omitempty"`
}

// SlowPart is all the time that a step spent in one phase.
type SlowPart struct {
	Phase      event.Phase `json:"phase"`
	DurationMS int64       `json:"duration_ms"`
	UsualMS    *int64      `json:"usual_ms,omitempty"`
}

// WhySlow finds the critical path of a run, and what is usual in others.
func WhySlow(past record.Past, p *plan.Plan, others []record.Run, now time.Time) Slow {
	r := past.Run
	s := Slow{Run: r.ID, DurationMS: r.DurationMS, Compared: []string{}, Steps: []SlowStep{}}
	if r.FinishedAt == nil {
		s.DurationMS = past.Last.Sub(r.StartedAt).Milliseconds()
		now = past.Last
	}
	times := make(map[string][]int64)
	for _, other := range others {
		s.Compared = append(s.Compared, other.ID)
		times[""] = append(times[""], other.DurationMS)
		measure(other, times)
	}
	s.UsualMS = median(times[""])
	last := LastNode(r)
	if last == "" || r.FinishedAt == nil {
		last = unended(r, last)
	}
	for _, step := range append(Path(r, p, last, now), cleanUp(r)...) {
		slow := SlowStep{Step: step}
		if !step.waits() {
			slow.UsualMS = median(times[stepKey(step.Node, step.What)])
		}
		for _, ph := range step.Phases {
			slow.add(ph, now)
		}
		for i := range slow.Parts {
			part := &slow.Parts[i]
			part.UsualMS = median(times[stepKey(step.Node, "/"+string(part.Phase))])
		}
		slow.Phases = nil // the parts say it
		s.Steps = append(s.Steps, slow)
	}
	return s
}

func (s *SlowStep) add(ph record.PhaseRecord, now time.Time) {
	ms := phaseTime(ph, now)
	for i := range s.Parts {
		if s.Parts[i].Phase == ph.Phase {
			s.Parts[i].DurationMS += ms
			return
		}
	}
	s.Parts = append(s.Parts, SlowPart{Phase: ph.Phase, DurationMS: ms})
}

func stepKey(node, what string) string {
	if node == "" || strings.HasPrefix(what, "/") {
		return node + " " + what
	}
	return node
}

// measure adds the times of a run's phases, nodes and their phases.
func measure(r record.Run, times map[string][]int64) {
	add := func(key string, ms int64) { times[key] = append(times[key], ms) }
	for _, step := range append(runSteps(r, r.StartedAt), cleanUp(r)...) {
		add(stepKey("", step.What), step.DurationMS)
	}
	jobs := jobsByID(r)
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if n.StartedAt == nil || n.EndedAt == nil {
			continue
		}
		add(n.ID, n.EndedAt.Sub(*n.StartedAt).Milliseconds())
		slow := SlowStep{}
		for _, ph := range phasesOf(n, jobs[ownerOf(n.ID)], *n.EndedAt) {
			slow.add(ph, *n.EndedAt)
		}
		for _, part := range slow.Parts {
			add(stepKey(n.ID, "/"+string(part.Phase)), part.DurationMS)
		}
	}
}

// ownerOf is the job that a node's id names, if it is of just one.
func ownerOf(node string) string {
	if job, ok := strings.CutPrefix(node, plan.ExecuteID("")); ok {
		return job
	}
	job, ok := strings.CutPrefix(node, "prepare-")
	if job, is := strings.CutSuffix(job, "-runner"); ok && is {
		return job
	}
	return ""
}

// unended is a node that has not ended, or the one that ended last.
func unended(r record.Run, last string) string {
	for _, n := range slices.Backward(r.Nodes) {
		if n.StartedAt != nil && n.EndedAt == nil {
			return n.ID
		}
	}
	return last
}

// cleanUp is what came after the last node: instances deleted, logs closed.
func cleanUp(r record.Run) []Step {
	if r.FinishedAt == nil {
		return nil
	}
	var last time.Time
	for _, n := range r.Nodes {
		if n.EndedAt != nil && n.EndedAt.After(last) {
			last = *n.EndedAt
		}
	}
	if last.IsZero() || r.FinishedAt.Sub(last) < minWait {
		return nil
	}
	return []Step{{What: "clean-up", StartedAt: last, DurationMS: r.FinishedAt.Sub(last).Milliseconds()}}
}

// median is of a few; nil of none.
func median(all []int64) *int64 {
	if len(all) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(all))
	return &sorted[len(sorted)/2]
}

// WriteSlow writes it for a person.
func WriteSlow(w io.Writer, s Slow) error {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s took %s%s\n", oneLine(s.Run), seconds(s.DurationMS), usually(s.UsualMS))
	switch n := len(s.Compared); n {
	case 0:
		b.WriteString("no other run of its lanes to compare it with\n")
	default:
		fmt.Fprintf(&b, "compared with %s: usual is the median\n", count(n, "other run"))
	}
	if len(s.Steps) == 0 {
		b.WriteString("nothing ran\n")
	} else {
		b.WriteString("its end had to wait for:\n")
		writeSlowSteps(&b, s)
	}
	if what, ms := s.worst(); ms >= minWait.Milliseconds() {
		fmt.Fprintf(&b, "most above what is usual: %s, by %s\n", oneLine(what), seconds(ms))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeSlowSteps(b *strings.Builder, s Slow) {
	begun := s.Steps[0].StartedAt
	for _, step := range s.Steps {
		fmt.Fprintf(b, "  at %-7s for %-7s %s%s\n", seconds(step.StartedAt.Sub(begun).Milliseconds()), seconds(step.DurationMS),
			oneLine(step.name()), usually(step.UsualMS))
		for _, p := range step.Parts {
			fmt.Fprintf(b, "                 %-7s   %s%s\n", seconds(p.DurationMS), p.Phase, usually(p.UsualMS))
		}
	}
}

func usually(ms *int64) string {
	if ms == nil {
		return ""
	}
	return fmt.Sprintf(" (usual: %s)", seconds(*ms))
}

// worst is the phase, or step without phases, that took most above what is
// usual.
func (s Slow) worst() (what string, over int64) {
	look := func(name string, ms int64, usual *int64) {
		if usual != nil && ms-*usual > over {
			what, over = name, ms-*usual
		}
	}
	for _, step := range s.Steps {
		if step.waits() {
			look(step.name(), step.DurationMS, new(int64))
		}
		if len(step.Parts) == 0 {
			look(step.name(), step.DurationMS, step.UsualMS)
		}
		for _, p := range step.Parts {
			look(string(p.Phase)+" of "+step.name(), p.DurationMS, p.UsualMS)
		}
	}
	return what, over
}
