package otlp

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// Span is a stretch of time of a trace.
type Span struct {
	Context
	// Parent is a span's id, empty for the first of a trace.
	Parent     string
	Name       string
	Kind       Kind
	Start, End time.Time
	Attributes []Attribute
	Events     []Moment
	// Error is why it failed; Failed says that it did.
	Failed bool
	Error  string
}

// Kind is a span's kind, as OTLP numbers them.
type Kind int

// The kinds of spans of a run.
const (
	Internal Kind = 1
	Server   Kind = 2
)

// Attribute is a name and a string, int64 or bool.
type Attribute struct {
	Key   string
	Value any
}

// Moment is an event within a span.
type Moment struct {
	Name       string
	Time       time.Time
	Attributes []Attribute
}

// spans are those of a run that are being made.
type spans struct {
	past record.Past
	p    *plan.Plan
	run  Context
	all  []Span
}

// Spans are the run, its lanes, jobs, nodes and phases, by the semantic
// conventions for CICD. What has not ended, ends with the last event. The plan
// may be nil: then no lane is known of a job that has not ended.
func Spans(past record.Past, p *plan.Plan) []Span {
	s := &spans{past: past, p: p}
	r := past.Run
	parent, hasParent := ParseContext(r.TraceParent)
	var own bool
	if s.run, own = ParseContext(r.Trace); !own {
		// Nobody was told of it before.
		s.run = Context{TraceID: parent.TraceID, Sampled: true}
		if !hasParent {
			s.run.TraceID = digest(16, "trace", r.ID, r.StartedAt.String())
		}
		s.run.SpanID = digest(8, s.run.TraceID, r.ID, r.StartedAt.String())
	}
	run := s.runSpan()
	if hasParent {
		run.Parent = parent.SpanID
	}
	s.all = append(s.all, run)
	s.phases(s.run, r.Phases)
	s.lanes()
	s.builds()
	for i := range s.all {
		// A clock may have been set back meanwhile.
		if one := &s.all[i]; one.End.Before(one.Start) {
			one.End = one.Start
		}
	}
	return s.all
}

// runSpan is the run's own span. Its name is that of its lane, where it has
// one: names are to be few.
func (s *spans) runSpan() Span {
	r := s.past.Run
	names := make([]string, len(r.Lanes))
	for i, l := range r.Lanes {
		names[i] = l.ID
	}
	pipeline := "pikaci"
	if len(names) == 1 {
		pipeline = names[0]
	}
	run := Span{Context: s.run, Name: "RUN " + pipeline, Kind: Server, Start: r.StartedAt, End: s.end(r.FinishedAt),
		Attributes: []Attribute{{"cicd.pipeline.action.name", "RUN"}, {"cicd.pipeline.name", pipeline},
			{"cicd.pipeline.run.id", r.ID}, {"pikaci.lanes", strings.Join(names, ",")}, {"pikaci.plan_digest", r.PlanDigest}}}
	if r.Snapshot != nil {
		run.Attributes = append(run.Attributes, Attribute{"pikaci.snapshot", r.Snapshot.ContentHash})
		if r.Snapshot.GitHead != "" {
			run.Attributes = append(run.Attributes, Attribute{"vcs.ref.head.revision", r.Snapshot.GitHead})
		}
	}
	run.result("cicd.pipeline.result", event.Outcome{Verdict: r.Verdict, Failure: failureOf(r.Verdict, r.Jobs, func(*record.JobRecord) bool { return true }), Reason: r.Reason})
	return run
}

// end is an end, or the last event.
func (s *spans) end(at *time.Time) time.Time {
	if at == nil {
		return s.past.Last
	}
	return *at
}

// failureOf is the kind of a failure of jobs: that of the first, of those that
// are not the host's; infra where it was the host's.
func failureOf(v event.Verdict, jobs []record.JobRecord, ours func(*record.JobRecord) bool) event.Failure {
	if v != event.Failed {
		return ""
	}
	for i := range jobs {
		if j := &jobs[i]; ours(j) && j.Verdict == event.Failed && j.Failure != event.Infra {
			return j.Failure
		}
	}
	return event.Infra
}

// results are the conventions' words for verdicts; a failure that says nothing
// of the code is an error.
var results = map[event.Verdict]string{event.Passed: "success", event.Cached: "success", event.Cancelled: "cancellation",
	event.Skipped: "skip", event.Partial: "skip"}

// result says how it ended, under that name.
func (s *Span) result(key string, o event.Outcome) {
	if o.Verdict == "" {
		s.Attributes = append(s.Attributes, Attribute{"pikaci.unfinished", true})
		return
	}
	result := results[o.Verdict]
	if o.Verdict == event.Failed {
		result = "failure"
		switch o.Failure {
		case event.Timeout:
			result = "timeout"
		case event.Infra, event.Prepare:
			result = "error"
		}
		s.Failed, s.Error = true, o.Reason
		s.Attributes = append(s.Attributes, Attribute{"error.type", errorType(o)})
	}
	s.Attributes = append(s.Attributes, Attribute{key, result}, Attribute{"pikaci.verdict", string(o.Verdict)})
	if o.ExitCode != nil {
		s.Attributes = append(s.Attributes, Attribute{"process.exit.code", int64(*o.ExitCode)})
	}
	if o.Signal != "" {
		s.Attributes = append(s.Attributes, Attribute{"pikaci.signal", o.Signal})
	}
}

func errorType(o event.Outcome) string {
	if o.Failure == "" {
		return "_OTHER"
	}
	return string(o.Failure)
}

// lanes gives each lane a span from its first job's beginning to its last's end,
// and its jobs theirs.
func (s *spans) lanes() {
	for _, l := range s.past.Run.Lanes {
		lane := Span{Context: s.run.Within("lane", l.ID), Parent: s.run.SpanID, Name: "lane " + l.ID, Kind: Internal,
			Attributes: []Attribute{{"pikaci.lane", l.ID}}}
		at := len(s.all)
		s.all = append(s.all, lane)
		for i := range s.past.Run.Jobs {
			if j := &s.past.Run.Jobs[i]; s.laneOf(j) == l.ID {
				from, to := s.job(lane.Context, l.ID, j)
				lane.cover(from, to)
			}
		}
		if lane.Start.IsZero() { // none of its jobs took any time
			lane.Start, lane.End = s.past.Last, s.past.Last
		}
		for _, w := range l.Waits {
			lane.Events = append(lane.Events, Moment{"waits for its concurrency group", w.StartedAt,
				[]Attribute{{"pikaci.group", w.Group}, {"pikaci.holder", w.Holder}}})
			lane.cover(w.StartedAt, w.StartedAt)
		}
		lane.result("cicd.pipeline.task.run.result", event.Outcome{Verdict: l.Verdict,
			Failure: failureOf(l.Verdict, s.past.Run.Jobs, func(j *record.JobRecord) bool { return j.Lane == l.ID })})
		s.all[at] = lane
	}
}

// cover makes the span long enough for a stretch of time.
func (s *Span) cover(from, to time.Time) {
	if s.Start.IsZero() || from.Before(s.Start) {
		s.Start = from
	}
	if to.After(s.End) {
		s.End = to
	}
}

func (s *spans) laneOf(j *record.JobRecord) string {
	if j.Lane != "" || s.p == nil {
		return j.Lane
	}
	for _, planned := range s.p.Jobs {
		if planned.ID == j.ID {
			return planned.Lane
		}
	}
	return ""
}

// job gives a job its span, its nodes' and its phases', and tells when it was.
func (s *spans) job(lane Context, laneID string, j *record.JobRecord) (from, to time.Time) {
	job := Span{Context: s.run.Job(j.ID), Parent: lane.SpanID, Name: j.ID, Kind: Internal,
		Attributes: []Attribute{{"cicd.pipeline.task.name", j.ID}, {"cicd.pipeline.task.run.id", s.past.Run.ID + "/" + j.ID},
			{"cicd.pipeline.task.type", "test"}, {"pikaci.lane", laneID}}}
	job.result("cicd.pipeline.task.run.result", j.Outcome)
	at := len(s.all)
	s.all = append(s.all, job)
	phases := slices.Clone(j.Phases)
	for _, id := range []string{plan.PrepareRunnerID(j.ID), plan.ExecuteID(j.ID)} {
		i := slices.IndexFunc(s.past.Run.Nodes, func(n record.NodeRecord) bool { return n.ID == id })
		if i < 0 {
			continue
		}
		n := &s.past.Run.Nodes[i]
		if n.StartedAt == nil {
			if n.EndedAt != nil { // it ended without having begun: no span, but a time
				job.cover(*n.EndedAt, *n.EndedAt)
			}
			continue
		}
		end := s.end(n.EndedAt)
		job.cover(*n.StartedAt, end)
		var own []record.PhaseRecord
		phases = slices.DeleteFunc(phases, func(ph record.PhaseRecord) bool {
			within := !ph.StartedAt.Before(*n.StartedAt) && ph.StartedAt.Before(end)
			if within {
				own = append(own, ph)
			}
			return within
		})
		s.node(job.Context, n, own)
	}
	for _, ph := range phases {
		job.cover(ph.StartedAt, s.end(ph.EndedAt))
	}
	s.phases(job.Context, phases)
	if job.Start.IsZero() {
		job.Start, job.End = s.past.Last, s.past.Last
	}
	s.all[at] = job
	return job.Start, job.End
}

// node gives a node its span, and its phases theirs.
func (s *spans) node(parent Context, n *record.NodeRecord, phases []record.PhaseRecord) {
	span := Span{Context: s.run.Within("node", n.ID), Parent: parent.SpanID, Name: n.ID, Kind: Internal,
		Start: *n.StartedAt, End: s.end(n.EndedAt),
		Attributes: []Attribute{{"pikaci.node", n.ID}, {"pikaci.attempts", int64(n.Attempts)}}}
	span.result("cicd.pipeline.task.run.result", n.Outcome)
	s.all = append(s.all, span)
	s.phases(span.Context, phases)
}

// builds are the nodes that several jobs may share: they are the run's.
func (s *spans) builds() {
	for i := range s.past.Run.Nodes {
		n := &s.past.Run.Nodes[i]
		if n.StartedAt == nil || !slices.ContainsFunc(n.Phases, func(ph record.PhaseRecord) bool { return ph.Phase == event.Build }) {
			continue
		}
		at := len(s.all)
		s.node(s.run, n, n.Phases)
		build := &s.all[at]
		build.Attributes = append(build.Attributes, Attribute{"cicd.pipeline.task.name", n.ID},
			Attribute{"cicd.pipeline.task.run.id", s.past.Run.ID + "/" + n.ID}, Attribute{"cicd.pipeline.task.type", "build"})
		for _, o := range s.past.Outputs.Outputs {
			if o.Node == n.ID {
				build.Attributes = append(build.Attributes, Attribute{"pikaci.store_path", o.StorePath})
			}
		}
	}
}

func (s *spans) phases(parent Context, phases []record.PhaseRecord) {
	for i, ph := range phases {
		span := Span{Context: parent.Within("phase", strconv.Itoa(i)+string(ph.Phase)),
			Parent: parent.SpanID, Name: string(ph.Phase), Kind: Internal, Start: ph.StartedAt, End: s.end(ph.EndedAt),
			Attributes: []Attribute{{"pikaci.phase", string(ph.Phase)}}}
		if ph.Detail != "" {
			span.Attributes = append(span.Attributes, Attribute{"pikaci.detail", ph.Detail})
		}
		if ph.Error != "" {
			span.Failed, span.Error = true, ph.Error
			span.Attributes = append(span.Attributes, Attribute{"error.type", "_OTHER"})
		}
		s.all = append(s.all, span)
	}
}
