package otlp_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/otlp"
	"github.com/sledtools/pikaci/runtime/record"
)

var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fold is the record of events, each with the milliseconds at which it was.
func fold(trace string, events ...any) record.Past {
	var f record.Fold
	var past record.Past
	add := func(ms int, e event.Event) {
		e.Time = begun.Add(time.Duration(ms) * time.Millisecond)
		past.Last = e.Time
		f.Add(e)
	}
	add(0, event.Event{JournalOpened: &event.JournalOpened{RunID: "01r", Pikaci: "v1"}})
	add(0, event.Event{RunStarted: &event.RunStarted{Lanes: []string{"l"}, Jobs: []string{"a", "b"}, Trace: trace,
		TraceParent: "00-" + traceID + "-" + spanID + "-01"}})
	for i := 0; i < len(events); i += 2 {
		add(events[i].(int), events[i+1].(event.Event))
	}
	past.Run, past.Outputs = f.Run(), f.Outputs()
	return past
}

func started(node string) event.Event {
	return event.Event{NodeStarted: &event.NodeStarted{Node: node, Attempt: 1}}
}

func ended(node string, o event.Outcome) event.Event {
	return event.Event{NodeFinished: &event.NodeFinished{Node: node, Outcome: o}}
}

func opens(p event.Phase, node, job string) event.Event {
	return event.Event{PhaseStarted: &event.PhaseStarted{Phase: p, Node: node, Job: job}}
}

func closes(p event.Phase, node, job string) event.Event {
	return event.Event{PhaseFinished: &event.PhaseFinished{Phase: p, Node: node, Job: job}}
}

var (
	passed  = event.Outcome{Verdict: event.Passed}
	timeout = event.Outcome{Verdict: event.Failed, Failure: event.Timeout, Reason: "not ended after 1 s"}
	skipped = event.Outcome{Verdict: event.Skipped, Reason: "needs job a"}
)

// aRun builds, runs a, which is too slow, and skips b.
func aRun(trace string) record.Past {
	return fold(trace,
		1, opens(event.Snapshot, "", ""), 9, closes(event.Snapshot, "", ""),
		10, started("prepare-deps"), 10, opens(event.Build, "prepare-deps", ""),
		20, started("prepare-a-runner"), 21, opens(event.Create, "", "a"), 30, closes(event.Create, "", "a"), 31, ended("prepare-a-runner", passed),
		40, closes(event.Build, "prepare-deps", ""),
		41, event.Event{PayloadReady: &event.PayloadReady{Node: "prepare-deps", StorePath: "/nix/store/x"}}, 41, ended("prepare-deps", passed),
		50, started("execute-a"), 51, opens(event.Command, "", "a"), 90, closes(event.Command, "", "a"), 91, ended("execute-a", timeout),
		91, event.Event{JobFinished: &event.JobFinished{Job: "a", Lane: "l", Outcome: timeout}},
		92, ended("execute-b", skipped), 92, event.Event{JobFinished: &event.JobFinished{Job: "b", Lane: "l", Outcome: skipped}},
		93, opens(event.Delete, "", "a"), 99, closes(event.Delete, "", "a"),
		100, event.Event{LaneFinished: &event.LaneFinished{Lane: "l", Verdict: event.Failed}},
		100, event.Event{RunFinished: &event.RunFinished{Verdict: event.Failed, ExitCode: 1, Reason: "1 of 2 failed"}})
}

// tree writes spans, each below its parent.
func tree(all []otlp.Span) string {
	var b strings.Builder
	var below func(parent string, depth int)
	below = func(parent string, depth int) {
		for _, s := range all {
			if s.Parent != parent {
				continue
			}
			result := ""
			for _, a := range s.Attributes {
				if strings.HasSuffix(a.Key, ".result") || a.Key == "error.type" {
					result += fmt.Sprint(" ", a.Value)
				}
			}
			fmt.Fprintf(&b, "%s%s %d-%d%s", strings.Repeat("  ", depth), s.Name, s.Start.Sub(begun).Milliseconds(), s.End.Sub(begun).Milliseconds(), result)
			if s.Failed {
				fmt.Fprintf(&b, " (%s)", s.Error)
			}
			b.WriteByte('\n')
			below(s.SpanID, depth+1)
		}
	}
	below(spanID, 0)
	return b.String()
}

func TestSpans(t *testing.T) {
	const want = `RUN l 0-100 timeout timeout (1 of 2 failed)
  snapshot 1-9
  lane l 20-99 timeout timeout ()
    a 20-99 timeout timeout (not ended after 1 s)
      prepare-a-runner 20-31 success
        create 21-30
      execute-a 50-91 timeout timeout (not ended after 1 s)
        command 51-90
      delete 93-99
    b 92-92 skip
  prepare-deps 10-41 success
    build 10-40
`
	own := otlp.Begin(otlp.Context{TraceID: traceID})
	all := otlp.Spans(aRun(own.String()), nil)
	if got := tree(all); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for _, s := range all {
		if s.Name == "a" && s.SpanID != own.Job("a").SpanID {
			t.Errorf("job a is %s, and its command was told %s", s.SpanID, own.Job("a").SpanID)
		}
	}
}

// TestSpansOfAKilledRun: what has not ended ends with the last event.
func TestSpansOfAKilledRun(t *testing.T) {
	all := otlp.Spans(fold("", 10, started("execute-a"), 20, opens(event.Command, "", "a"), 30, ended("execute-b", skipped)), nil)
	if got, want := tree(all), "RUN l 0-30\n  lane l 30-30\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestSpansAreATree: whatever was journalled, each span has a parent that is
// there, an id of its own, and does not end before it starts.
func TestSpansAreATree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		nodes := rapid.SampledFrom([]string{"execute-a", "execute-b", "prepare-a-runner", "prepare-deps"})
		phases := rapid.SampledFrom([]event.Phase{event.Build, event.Command, event.Delete, event.Snapshot})
		jobs := rapid.SampledFrom([]string{"", "a", "b"})
		outcomes := rapid.SampledFrom([]event.Outcome{passed, timeout, skipped})
		var events []any
		ms := 0
		for range rapid.IntRange(0, 30).Draw(rt, "events") {
			ms += rapid.IntRange(0, 5).Draw(rt, "later")
			job, node, o := jobs.Draw(rt, "job"), nodes.Draw(rt, "node"), outcomes.Draw(rt, "outcome")
			if job != "" {
				node = ""
			}
			phase := phases.Draw(rt, "phase")
			if phase == event.Build {
				node, job = "prepare-deps", ""
			}
			events = append(events, ms, rapid.SampledFrom([]event.Event{
				opens(phase, node, job), closes(phase, node, job),
				started(nodes.Draw(rt, "node")), ended(nodes.Draw(rt, "node"), o),
				{JobFinished: &event.JobFinished{Job: "a", Lane: "l", Outcome: o}},
			}).Draw(rt, "event"))
		}
		all := otlp.Spans(fold("", events...), nil)
		ids := map[string]bool{spanID: true}
		for _, s := range all {
			if ids[s.SpanID] {
				rt.Fatalf("two spans have the id of %s", s.Name)
			}
			ids[s.SpanID] = true
			if s.TraceID != traceID || s.End.Before(s.Start) || s.Start.Before(begun) {
				rt.Fatalf("%+v", s)
			}
		}
		for _, s := range all {
			if !ids[s.Parent] {
				rt.Fatalf("%s has a parent that is not there", s.Name)
			}
		}
	})
}
