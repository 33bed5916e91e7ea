package report

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// The tracks of a trace, each a process of its own, so that a viewer keeps
// them apart.
const (
	trackRun = iota + 1
	trackBuilds
	trackSlots
	trackJobs
)

// traceEvent is an event of the Chrome trace format: X is a stretch of time,
// M names a track. Times are in microseconds from the run's beginning.
type traceEvent struct {
	Name     string         `json:"name"`
	Category string         `json:"cat,omitempty"`
	Phase    string         `json:"ph"`
	Start    int64          `json:"ts"`
	Duration *int64         `json:"dur,omitempty"`
	Process  int            `json:"pid"`
	Thread   int            `json:"tid"`
	Args     map[string]any `json:"args,omitempty"`
}

// trace makes the events of a run.
type trace struct {
	past   record.Past
	events []traceEvent
}

// Trace writes the run in the Chrome trace format, which Perfetto opens: the
// run's own phases, the builds, the slots that commands ran in, and each job's
// phases. What did not end, ends with the last event. The plan may be nil.
func Trace(w io.Writer, past record.Past, p *plan.Plan) error {
	t := &trace{past: past, events: []traceEvent{}}
	t.run()
	t.builds()
	t.slots()
	t.jobs(lanesOf(past.Run, p))
	return json.NewEncoder(w).Encode(struct {
		Events []traceEvent   `json:"traceEvents"`
		Unit   string         `json:"displayTimeUnit"`
		Other  map[string]any `json:"otherData"`
	}{t.events, "ms", map[string]any{"run": past.Run.ID, "pikaci": past.Run.Pikaci, "started_at": past.Run.StartedAt}})
}

// process and thread name a track and a line of it.
func (t *trace) process(pid int, name string) {
	t.events = append(t.events,
		traceEvent{Name: "process_name", Phase: "M", Process: pid, Args: map[string]any{"name": name}},
		traceEvent{Name: "process_sort_index", Phase: "M", Process: pid, Args: map[string]any{"sort_index": pid}})
}

func (t *trace) thread(pid, tid int, name string) {
	t.events = append(t.events,
		traceEvent{Name: "thread_name", Phase: "M", Process: pid, Thread: tid, Args: map[string]any{"name": name}},
		traceEvent{Name: "thread_sort_index", Phase: "M", Process: pid, Thread: tid, Args: map[string]any{"sort_index": tid}})
}

// slice is a stretch of time; without an end it lasts to the last event.
func (t *trace) slice(pid, tid int, category, name string, from time.Time, to *time.Time, args map[string]any) {
	end := t.past.Last
	if to != nil {
		end = *to
	} else {
		args["unfinished"] = true
	}
	start := max(0, from.Sub(t.past.Run.StartedAt).Microseconds())
	duration := max(0, end.Sub(t.past.Run.StartedAt).Microseconds()-start)
	t.events = append(t.events, traceEvent{Name: name, Category: category, Phase: "X", Start: start, Duration: &duration,
		Process: pid, Thread: tid, Args: args})
}

func (t *trace) run() {
	r := t.past.Run
	t.process(trackRun, "run")
	t.thread(trackRun, 1, "phases")
	t.slice(trackRun, 1, "run", "run "+r.ID, r.StartedAt, r.FinishedAt, map[string]any{"verdict": r.Verdict, "reason": r.Reason})
	for _, ph := range r.Phases {
		t.phase(trackRun, 1, ph)
	}
}

func (t *trace) phase(pid, tid int, ph record.PhaseRecord) {
	args := map[string]any{}
	if ph.Detail != "" {
		args["detail"] = ph.Detail
	}
	if ph.Error != "" {
		args["error"] = ph.Error
	}
	t.slice(pid, tid, "phase", string(ph.Phase), ph.StartedAt, ph.EndedAt, args)
}

// stretch is what needs a line of its own while it lasts.
type stretch struct {
	name     string
	from, to time.Time
	end      *time.Time
	args     map[string]any
}

// lines gives each stretch the first line of the track that is free.
func (t *trace) lines(pid int, category, line string, all []stretch) {
	slices.SortStableFunc(all, func(a, b stretch) int { return a.from.Compare(b.from) })
	var free []time.Time
	for _, s := range all {
		at := slices.IndexFunc(free, func(until time.Time) bool { return !until.After(s.from) })
		if at < 0 {
			at = len(free)
			free = append(free, time.Time{})
			t.thread(pid, at+1, line)
		}
		free[at] = s.to
		t.slice(pid, at+1, category, s.name, s.from, s.end, s.args)
	}
}

// until is an end, or the last event.
func (t *trace) until(end *time.Time) time.Time {
	if end == nil {
		return t.past.Last
	}
	return *end
}

func (t *trace) builds() {
	t.process(trackBuilds, "payload builds")
	var all []stretch
	for _, n := range t.past.Run.Nodes {
		for _, ph := range n.Phases {
			if ph.Phase == event.Build {
				all = append(all, stretch{n.ID, ph.StartedAt, t.until(ph.EndedAt), ph.EndedAt,
					map[string]any{"verdict": n.Verdict, "why": why(n.Outcome)}})
			}
		}
	}
	t.lines(trackBuilds, "build", "build", all)
}

// slots shows which commands ran at one time. A guest's keeps its slot until
// its instance is gone.
func (t *trace) slots() {
	t.process(trackSlots, "slots")
	nodes := make(map[string]*record.NodeRecord)
	for i := range t.past.Run.Nodes {
		nodes[t.past.Run.Nodes[i].ID] = &t.past.Run.Nodes[i]
	}
	gone := deletionsOf(t.past.Run)
	var all []stretch
	for _, j := range t.past.Run.Jobs {
		n := nodes[plan.ExecuteID(j.ID)]
		if n == nil || n.StartedAt == nil {
			continue
		}
		end := gone.slotEnd(j.ID, n.EndedAt)
		all = append(all, stretch{j.ID, *n.StartedAt, t.until(end), end,
			map[string]any{"verdict": j.Verdict, "why": why(j.Outcome), "attempts": n.Attempts}})
	}
	t.lines(trackSlots, "command", "slot", all)
}

// jobs gives each job a line with its phases.
func (t *trace) jobs(lanes map[string]string) {
	t.process(trackJobs, "jobs")
	for i, j := range t.past.Run.Jobs {
		name := j.ID
		if lanes[j.ID] != "" {
			name = lanes[j.ID] + "/" + j.ID
		}
		t.thread(trackJobs, i+1, name)
		for _, ph := range j.Phases {
			t.phase(trackJobs, i+1, ph)
		}
	}
}
