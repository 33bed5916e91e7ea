package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/schema/plan"
)

// waitingPlan has three lanes, each of one host job; b and c are of one group.
func waitingPlan() *plan.Plan {
	p := new(plan.Plan)
	for _, id := range []string{"a", "b", "c"} {
		p.Lanes = append(p.Lanes, plan.Lane{ID: "lane-" + id, Chosen: true, Jobs: []string{id}})
		p.Jobs = append(p.Jobs, plan.Job{ID: id, Lane: "lane-" + id})
		p.Nodes = append(p.Nodes, plan.Node{ID: "execute-" + id, Jobs: []string{id}, HostCommand: &plan.HostCommand{Job: id, Command: []string{"true"}}})
	}
	return p
}

// waitingPast: a runs from the beginning; c waits first for another run, then
// for lane b, then for a slot.
func waitingPast() []event.Event {
	var all []event.Event
	say := func(ms int, e event.Event) { all = append(all, at(ms, e)) }
	say(0, event.Event{JournalOpened: &event.JournalOpened{RunID: "r"}})
	say(0, event.Event{RunStarted: &event.RunStarted{Lanes: []string{"lane-a", "lane-b", "lane-c"}, Jobs: []string{"a", "b", "c"}}})
	say(0, event.Event{NodeStarted: &event.NodeStarted{Node: "execute-a", Attempt: 1}})
	say(10, event.Event{GroupWaited: &event.GroupWaited{Lane: "lane-b", Group: "g", Holder: "run x"}})
	say(11, event.Event{GroupWaited: &event.GroupWaited{Lane: "lane-c", Group: "g", Holder: "run x"}})
	say(1000, event.Event{NodeStarted: &event.NodeStarted{Node: "execute-b", Attempt: 1}})
	say(1001, event.Event{GroupWaited: &event.GroupWaited{Lane: "lane-c", Group: "g", Holder: "lane lane-b"}})
	say(3000, event.Event{NodeFinished: &event.NodeFinished{Node: "execute-b", Outcome: did}})
	say(3000, event.Event{JobFinished: &event.JobFinished{Job: "b", Lane: "lane-b", Outcome: did}})
	say(4000, event.Event{NodeStarted: &event.NodeStarted{Node: "execute-c", Attempt: 1}})
	say(5000, event.Event{NodeFinished: &event.NodeFinished{Node: "execute-c", Outcome: did}})
	say(5000, event.Event{JobFinished: &event.JobFinished{Job: "c", Lane: "lane-c", Outcome: did}})
	return all
}

func explained(t *testing.T, upTo int, state record.State, job string) string {
	t.Helper()
	past := pastOf(waitingPast(), upTo)
	past.State = state
	now := begun.Add(6_000_000_000)
	if upTo > 0 {
		now = past.Last.Add(500_000_000)
	}
	x, ok := report.Explain(past, waitingPlan(), job, now)
	if !ok {
		t.Fatalf("no job %s", job)
	}
	var b strings.Builder
	if err := report.WriteExplanation(&b, x, nil, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestExplainWaits: what a job waited for, and waits for now.
func TestExplainWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		upTo  int
		state record.State
		job   string
		want  []string
	}{
		"it ended": {0, record.Finished, "c", []string{
			"its lane waited: for group g, had by run x, for 0.99s\n",
			"its lane waited: for group g, had by lane lane-b, for 3.00s\n",
			"at 0.00s   for 0.99s   execute-c waits for group g, had by run x\n",
			"at 0.99s   for 3.00s   execute-c waits for group g, had by lane lane-b\n",
		}},
		"nobody waited":    {0, record.Finished, "a", []string{"job a of lane lane-a: running: execute-a for 6.00s\nreuse: ran: host jobs do, unless their lane says cache: true\nwhat its end"}},
		"for a group":      {2000, record.Running, "c", []string{"job c of lane lane-c: waiting: for group g, had by lane lane-b, for 0.50s\n"}},
		"for a slot":       {5, record.Running, "b", []string{"job b of lane lane-b: waiting: for a slot, had by a\n"}},
		"killed meanwhile": {2000, record.Killed, "c", []string{"job c of lane lane-c: killed\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := explained(t, tt.upTo, tt.state, tt.job)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in:\n%s", want, got)
				}
			}
		})
	}
}

// A host job that waits for what its lane keeps says for whom, now and afterwards.
func TestTheWaitForWhatALaneKeeps(t *testing.T) {
	p := &plan.Plan{Lanes: []plan.Lane{{ID: "l", Chosen: true, Jobs: []string{"j"}}},
		Jobs:  []plan.Job{{ID: "j", Lane: "l", HostCache: true}},
		Nodes: []plan.Node{{ID: "execute-j", Jobs: []string{"j"}, HostCommand: &plan.HostCommand{Job: "j", Command: []string{"true"}}}}}
	events := []event.Event{
		at(0, event.Event{JournalOpened: &event.JournalOpened{RunID: "r"}}),
		at(0, event.Event{RunStarted: &event.RunStarted{Lanes: []string{"l"}, Jobs: []string{"j"}, Parallel: 1}}),
		at(500, event.Event{CacheWaited: &event.CacheWaited{Job: "j", Lane: "l", Holder: "job a of run x"}}),
		at(2000, event.Event{CacheWaited: &event.CacheWaited{Job: "j", Lane: "l", Holder: "job b of run y"}}),
		at(3000, event.Event{NodeStarted: &event.NodeStarted{Node: "execute-j", Attempt: 1}}),
		at(4000, event.Event{NodeFinished: &event.NodeFinished{Node: "execute-j", Outcome: did}}),
		at(4000, event.Event{JobFinished: &event.JobFinished{Job: "j", Lane: "l", Outcome: did}}),
	}
	b := report.NewBoard(p, nil)
	for _, e := range events[:3] {
		b.Add(e)
	}
	waiting := b.Heartbeat(begun).Waiting
	if len(waiting) != 1 || report.WaitsFor(waiting[0]) != "what its lane keeps, which job a of run x has" {
		t.Errorf("it waits for %+v", waiting)
	}
	for _, e := range events[3:5] {
		b.Add(e)
	}
	if waiting := b.Heartbeat(begun).Waiting; len(waiting) != 0 {
		t.Errorf("it is begun and waits for %+v", waiting)
	}
	var told strings.Builder
	past := pastOf(events, 600)
	past.State = record.Running
	x, _ := report.Explain(past, p, "j", begun.Add(time.Second))
	if err := report.WriteExplanation(&told, x, nil, false); err != nil || !strings.Contains(told.String(), "had by job a of run x") {
		t.Errorf("while it waits: %v\n%s", err, told.String())
	}
	told.Reset()
	x, _ = report.Explain(pastOf(events, 0), p, "j", begun.Add(time.Minute))
	if err := report.WriteExplanation(&told, x, nil, false); err != nil {
		t.Fatal(err)
	}
	want := `what its end had to wait for:
  at 0.00s   for 0.50s   execute-j waits to start
  at 0.50s   for 1.50s   execute-j waits for what its lane keeps, had by job a of run x
  at 2.00s   for 1.00s   execute-j waits for what its lane keeps, had by job b of run y
  at 3.00s   for 1.00s   execute-j
`
	if !strings.HasSuffix(told.String(), want) {
		t.Errorf("explained as:\n%s", told.String())
	}
}
