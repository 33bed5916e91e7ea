package report_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/schema/plan"
)

// ran is a run to make up: of a lane with one job, and its payload.
type ran struct {
	id, snapshot, plan, host string
	ms                       int
	end                      event.Outcome
	retried                  []event.Outcome
	bytes                    int64
}

var (
	did     = event.Outcome{Verdict: event.Passed}
	didNot  = event.Outcome{Verdict: event.Failed, Failure: event.Test}
	tooLong = event.Outcome{Verdict: event.Failed, Failure: event.Timeout}
	broke   = event.Outcome{Verdict: event.Failed, Failure: event.Infra}
)

// pasts folds the events of the runs, each an hour after the one before it.
func pasts(all ...ran) []record.Past {
	var list []record.Past
	for i, r := range all {
		began := begun.Add(time.Duration(i) * time.Hour)
		var events []event.Event
		say := func(ms int, e event.Event) {
			e.Time = began.Add(time.Duration(ms) * time.Millisecond)
			events = append(events, e)
		}
		node := plan.ExecuteID("unit")
		say(0, event.Event{JournalOpened: &event.JournalOpened{RunID: r.id}})
		say(0, event.Event{RunStarted: &event.RunStarted{PlanDigest: r.plan, HostDigest: r.host, Lanes: []string{"check"}, Jobs: []string{"unit"}}})
		if r.snapshot != "" {
			say(0, event.Event{SnapshotTaken: &event.SnapshotTaken{ContentHash: r.snapshot}})
		}
		say(0, event.Event{PayloadReady: &event.PayloadReady{Node: "prepare-deps", StorePath: "/nix/store/x", Bytes: r.bytes, ClosureBytes: 2 * r.bytes,
			Exposures: []event.Exposure{{Job: "unit", Path: "jobs/unit/deps"}}}})
		say(0, event.Event{NodeStarted: &event.NodeStarted{Node: node, Attempt: 1}})
		for n, o := range r.retried {
			say(1, event.Event{NodeRetried: &event.NodeRetried{Node: node, Attempt: n + 1, Outcome: o}})
		}
		say(r.ms, event.Event{NodeFinished: &event.NodeFinished{Node: node, Outcome: r.end}})
		say(r.ms, event.Event{JobFinished: &event.JobFinished{Job: "unit", Lane: "check", Outcome: r.end, DurationMS: int64(r.ms)}})
		say(r.ms, event.Event{LaneFinished: &event.LaneFinished{Lane: "check", Verdict: r.end.Verdict}})
		list = append(list, pastOf(events, 0))
	}
	return list
}

// TestFlaky: both verdicts on the same inputs, and on nothing less.
func TestFlaky(t *testing.T) {
	for name, tt := range map[string]struct {
		runs   []ran
		inputs int
		flaky  string
	}{
		"two runs":          {[]ran{{id: "r1", snapshot: "s", plan: "p", end: did}, {id: "r2", snapshot: "s", plan: "p", end: didNot}}, 1, "[r1] [r2]"},
		"by its time":       {[]ran{{id: "r1", snapshot: "s", plan: "p", end: did}, {id: "r2", snapshot: "s", plan: "p", end: tooLong}}, 1, "[r1] [r2]"},
		"a later attempt":   {[]ran{{id: "r1", snapshot: "s", plan: "p", end: did, retried: []event.Outcome{didNot}}}, 1, "[r1] [r1]"},
		"no snapshot":       {[]ran{{id: "r1", end: did, retried: []event.Outcome{didNot}}}, 1, "[r1] [r1]"},
		"other snapshots":   {[]ran{{id: "r1", snapshot: "s", plan: "p", end: did}, {id: "r2", snapshot: "t", plan: "p", end: didNot}}, 2, ""},
		"other plans":       {[]ran{{id: "r1", snapshot: "s", plan: "p", end: did}, {id: "r2", snapshot: "s", plan: "q", end: didNot}}, 2, ""},
		"other hosts":       {[]ran{{id: "r1", snapshot: "s", plan: "p", end: did}, {id: "r2", snapshot: "s", plan: "p", host: "h", end: didNot}}, 2, ""},
		"unknown snapshots": {[]ran{{id: "r1", plan: "p", end: did}, {id: "r2", plan: "p", end: didNot}}, 2, ""},
		"the host's fault":  {[]ran{{id: "r1", snapshot: "s", plan: "p", end: did, retried: []event.Outcome{broke}}, {id: "r2", snapshot: "s", plan: "p", end: broke}}, 1, ""},
		"always failed":     {[]ran{{id: "r1", snapshot: "s", plan: "p", end: didNot, retried: []event.Outcome{didNot}}}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := report.TrendsOf(pasts(tt.runs...), "").Lanes[0].Jobs[0]
			got := ""
			for _, f := range j.Flaky {
				got += fmt.Sprint(f.Passed, " ", f.Failed)
			}
			if got != tt.flaky || j.Inputs != tt.inputs {
				t.Errorf("flaky %q of %d inputs, want %q of %d", got, j.Inputs, tt.flaky, tt.inputs)
			}
		})
	}
}

// TestTrends shows the table, with blocks and with digits, and of another lane.
func TestTrends(t *testing.T) {
	runs := pasts(
		ran{id: "r1", snapshot: "s1", plan: "p", ms: 1000, end: did, bytes: 10 << 20},
		ran{id: "r2", snapshot: "s1", plan: "p", ms: 100, end: didNot, bytes: 10 << 20},
		ran{id: "r3", snapshot: "s2", plan: "p", ms: 2000, end: did, bytes: 11 << 20},
		ran{id: "r4", snapshot: "s3", plan: "p", ms: 90, end: broke},
		ran{id: "r5", snapshot: "s4", plan: "p", ms: 4000, end: did, bytes: 30 << 20},
	)
	// Their order is of no account.
	runs[0], runs[4] = runs[4], runs[0]
	trends := report.TrendsOf(runs, "check")
	for name, sparks := range map[string]report.Sparks{"blocks": report.BlockSparks, "digits": report.DigitSparks} {
		var b bytes.Buffer
		if err := report.WriteTrends(&b, trends, sparks); err != nil {
			t.Fatal(err)
		}
		golden(t, "trends-"+name+".golden", b.Bytes())
	}
	if other := report.TrendsOf(runs, "other"); len(other.Lanes) != 0 {
		t.Errorf("of another lane: %+v", other)
	}
}

// TestTrendsOfPrepareOnly: payloads of a run without verdicts count.
func TestTrendsOfPrepareOnly(t *testing.T) {
	runs := pasts(ran{id: "r1", ms: 1, end: did, bytes: 5}, ran{id: "r2", ms: 1, end: did, bytes: 7})
	runs[1].Run.Jobs[0].Lane, runs[1].Run.Jobs[0].Verdict, runs[1].Run.Lanes[0].Verdict = "", "", ""
	l := report.TrendsOf(runs, "").Lanes[0]
	if len(l.Points) != 1 || len(l.Payloads) != 1 || l.Payloads[0].LastBytes != 7 {
		t.Errorf("%+v", l)
	}
}

func TestSparks(t *testing.T) {
	for want, numbers := range map[string][]int64{
		"":                     nil,
		"3":                    {7},
		"333":                  {0, 0, 0},
		"3333":                 {100, 104, 100, 101},
		"12345":                {0, 1, 2, 3, 4},
		"15":                   {10, 11},
		"51111111111111111115": {1, 2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9},
	} {
		if got := report.DigitSparks.Draw(numbers); got != want {
			t.Errorf("%v: %s, want %s", numbers, got, want)
		}
	}
	if got := report.BlockSparks.Draw([]int64{1, 2, 3, 4, 5}); got != "▁▂▃▅▇" {
		t.Errorf("blocks: %s", got)
	}
}
