package report_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/schema/plan"
)

// begun is when the made-up run began.
var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// aPlan has a payload, two guests that need it one after the other, and a host
// job that nobody waits for.
func aPlan() *plan.Plan {
	staged := func(job string) []plan.StagedPreparedPayload {
		return []plan.StagedPreparedPayload{{PrepareNodeID: "prepare-deps", Installable: "path:snapshot#deps", OutputName: "deps",
			LocalMountPath: "jobs/" + job + "/staged-linux-rust/deps", Role: "deps", GuestMountPath: "/opt/deps"}}
	}
	incus := &plan.Incus{Image: "pikaci/dev", InstanceType: plan.Container, CPUs: 1, Memory: "256MiB", Network: "none"}
	nodes := []plan.Node{
		{ID: "prepare-deps", Description: "Build deps", Jobs: []string{"first", "second"}, NixBuild: &plan.NixBuild{Installable: "path:snapshot#deps", OutputName: "deps"}},
	}
	for _, job := range []string{"first", "second"} {
		var needs []string
		if job == "second" {
			needs = []string{"execute-first"}
		}
		nodes = append(nodes,
			plan.Node{ID: "prepare-" + job + "-runner", Jobs: []string{job}, IncusInstance: &plan.IncusInstance{Job: job}},
			plan.Node{ID: "execute-" + job, Jobs: []string{job}, GuestCommand: &plan.GuestCommand{Job: job, Command: []string{"true"}},
				DependsOn: append([]string{"prepare-deps", "prepare-" + job + "-runner"}, needs...)})
	}
	nodes = append(nodes, plan.Node{ID: "execute-aside", Jobs: []string{"aside"}, HostCommand: &plan.HostCommand{Job: "aside", Command: []string{"true"}}})
	return &plan.Plan{
		Lanes: []plan.Lane{{ID: "check", Chosen: true, Reason: "a.go matches **", Jobs: []string{"first", "second", "aside"}}},
		Jobs: []plan.Job{
			{ID: "first", Lane: "check", Description: "The first.", StagedPayloads: staged("first"), Incus: incus},
			{ID: "second", Lane: "check", Description: "The second.", Needs: []string{"first"}, StagedPayloads: staged("second"), Incus: incus},
			{ID: "aside", Lane: "check", Description: "Stands aside."},
		},
		Nodes: nodes,
	}
}

// at is an event, so many milliseconds after the run began.
func at(ms int, e event.Event) event.Event {
	e.Time = begun.Add(time.Duration(ms) * time.Millisecond)
	return e
}

// aPast are the events of a run of aPlan, each with its time: the second job
// waits 400 ms for a slot, and fails at its second attempt.
func aPast() []event.Event {
	exit := 3
	failed := event.Outcome{Verdict: event.Failed, Failure: event.Test, ExitCode: &exit}
	passed := event.Outcome{Verdict: event.Passed}
	var all []event.Event
	say := func(ms int, e event.Event) { all = append(all, at(ms, e)) }
	node := func(id string, from, to int, o event.Outcome) {
		say(from, event.Event{NodeStarted: &event.NodeStarted{Node: id, Attempt: 1}})
		say(to, event.Event{NodeFinished: &event.NodeFinished{Node: id, Outcome: o}})
	}
	phase := func(p event.Phase, node, job string, from, to int) {
		say(from, event.Event{PhaseStarted: &event.PhaseStarted{Phase: p, Node: node, Job: job}})
		say(to, event.Event{PhaseFinished: &event.PhaseFinished{Phase: p, Node: node, Job: job, DurationMS: int64(to - from)}})
	}
	say(0, event.Event{JournalOpened: &event.JournalOpened{SchemaVersion: 1, RunID: "01r", Pikaci: "v1"}})
	say(1, event.Event{RunStarted: &event.RunStarted{RunDir: "/state/runs/01r", Parallel: 1, Lanes: []string{"check"}, Jobs: []string{"first", "second", "aside"}}})
	phase(event.Snapshot, "", "", 2, 100)
	say(100, event.Event{SnapshotTaken: &event.SnapshotTaken{ContentHash: "sha256:0123", Files: 1, Bytes: 1}})
	phase(event.Build, "prepare-deps", "", 100, 5100)
	say(5100, event.Event{PayloadReady: &event.PayloadReady{Node: "prepare-deps", OutputName: "deps", Installable: "path:snapshot#deps", StorePath: "/nix/store/x-deps", Bytes: 3 << 20, ClosureBytes: 50 << 20,
		Manifest: &event.Manifest{SchemaVersion: 1, Mounts: []event.ManifestMount{{Name: "bin", RelativePath: "bin", GuestPath: "/opt/bin", ReadOnly: true}}}}})
	node("prepare-deps", 100, 5100, passed)
	phase(event.Create, "prepare-first-runner", "first", 100, 300)
	node("prepare-first-runner", 100, 300, passed)
	phase(event.Start, "", "first", 5150, 5300)
	phase(event.Command, "", "first", 5300, 7000)
	node("execute-first", 5150, 7000, passed)
	say(7000, event.Event{JobFinished: &event.JobFinished{Job: "first", Lane: "check", Outcome: passed, DurationMS: 1850}})
	phase(event.Delete, "", "first", 7000, 7100)
	node("execute-aside", 7000, 7400, event.Outcome{Verdict: event.Passed, Reason: "flaky: passed at attempt 2"})
	say(7400, event.Event{JobFinished: &event.JobFinished{Job: "aside", Lane: "check", DurationMS: 400,
		Outcome: event.Outcome{Verdict: event.Passed, Reason: "flaky: passed at attempt 2"}}})
	phase(event.Create, "prepare-second-runner", "second", 300, 500)
	node("prepare-second-runner", 300, 500, passed)
	phase(event.Command, "", "second", 7400, 9000)
	say(9000, event.Event{NodeRetried: &event.NodeRetried{Node: "execute-second", Attempt: 1, Outcome: failed}})
	say(9100, event.Event{Artifact: &event.Artifact{Job: "second", Path: "\x1b[31mreport.xml", Bytes: 3, SHA256: "00"}})
	say(9100, event.Event{Artifact: &event.Artifact{Job: "second", Path: "link", Refused: "not a regular file"}})
	node("execute-second", 7400, 9100, failed)
	say(9100, event.Event{JobFinished: &event.JobFinished{Job: "second", Lane: "check", Outcome: failed, DurationMS: 1700}})
	say(9200, event.Event{LogTruncated: &event.LogTruncated{Job: "second", Stream: event.Stdout, Bytes: 2000}})
	say(9200, event.Event{LaneFinished: &event.LaneFinished{Lane: "check", Verdict: event.Failed}})
	say(9200, event.Event{RunFinished: &event.RunFinished{Verdict: event.Failed, ExitCode: 1, Reason: "1 of 3 failed", DurationMS: 9200}})
	slices.SortStableFunc(all, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	return all
}

// pastOf folds events, up to a time where one is given.
func pastOf(events []event.Event, upTo int) record.Past {
	var fold record.Fold
	var past record.Past
	for _, e := range events {
		if upTo > 0 && e.Time.After(begun.Add(time.Duration(upTo)*time.Millisecond)) {
			continue
		}
		fold.Add(e)
		past.Last = e.Time
	}
	past.Run, past.Outputs = fold.Run(), fold.Outputs()
	return past
}

func TestStatus(t *testing.T) {
	for name, upTo := range map[string]int{"ended": 0, "going": 6000, "building": 2000} {
		var b bytes.Buffer
		if err := report.Status(&b, pastOf(aPast(), upTo), aPlan(), begun.Add(10*time.Second), false); err != nil {
			t.Fatal(err)
		}
		golden(t, "status-"+name+".golden", b.Bytes())
	}
}

func TestExplain(t *testing.T) {
	for name, upTo := range map[string]int{"ended": 0, "going": 6000} {
		x, ok := report.Explain(pastOf(aPast(), upTo), aPlan(), "second", begun.Add(10*time.Second))
		if !ok {
			t.Fatal("the job is not explained")
		}
		var b bytes.Buffer
		if err := report.WriteExplanation(&b, x, []string{"last", "lines"}, false); err != nil {
			t.Fatal(err)
		}
		golden(t, "explain-"+name+".golden", b.Bytes())
	}
	if _, ok := report.Explain(pastOf(aPast(), 0), aPlan(), "other", begun); ok {
		t.Error("a job that is not there is explained")
	}
}

// TestPath: the steps follow one another without a gap, from the beginning.
func TestPath(t *testing.T) {
	past := pastOf(aPast(), 0)
	steps := report.Path(past.Run, aPlan(), report.LastNode(past.Run), begun)
	end := begun.Add(2 * time.Millisecond)
	var names []string
	for _, s := range steps {
		if gap := s.StartedAt.Sub(end); gap < 0 || gap > 60*time.Millisecond {
			t.Errorf("%s %s begins %s after the end of what was before", s.Node, s.What, gap)
		}
		end = s.StartedAt.Add(time.Duration(s.DurationMS) * time.Millisecond)
		names = append(names, s.Node+" "+s.What)
	}
	want := []string{" snapshot", "prepare-deps build", "execute-first command", "execute-second wait for a slot", "execute-second command"}
	if len(names) != len(want) {
		t.Fatalf("steps are %q, want %q", names, want)
	}
	for i := range want {
		if names[i] != want[i] {
			t.Errorf("steps are %q, want %q", names, want)
			break
		}
	}
}

func TestPayloads(t *testing.T) {
	for name, upTo := range map[string]int{"built": 0, "building": 2000} {
		var b bytes.Buffer
		if err := report.WritePayloads(&b, report.Payloads(pastOf(aPast(), upTo), aPlan())); err != nil {
			t.Fatal(err)
		}
		golden(t, "payloads-"+name+".golden", b.Bytes())
	}
}

func TestWhySlow(t *testing.T) {
	past := pastOf(aPast(), 0)
	quick := pastOf(aPast(), 0).Run
	quick.ID, quick.DurationMS = "00q", 5000
	for i := range quick.Nodes {
		n := &quick.Nodes[i]
		n.Phases = slices.Clone(n.Phases)
		for j := range n.Phases {
			n.Phases[j].DurationMS /= 10
		}
		if n.StartedAt != nil {
			end := n.StartedAt.Add(n.EndedAt.Sub(*n.StartedAt) / 10)
			n.EndedAt = &end
		}
	}
	for name, slow := range map[string]report.Slow{
		"alone":    report.WhySlow(past, aPlan(), nil, begun),
		"compared": report.WhySlow(past, aPlan(), []record.Run{quick, quick, past.Run}, begun),
		"going":    report.WhySlow(pastOf(aPast(), 6000), aPlan(), []record.Run{quick}, begun),
		"nothing":  report.WhySlow(pastOf(aPast(), 1), aPlan(), nil, begun),
	} {
		var b bytes.Buffer
		if err := report.WriteSlow(&b, slow); err != nil {
			t.Fatal(err)
		}
		golden(t, "slow-"+name+".golden", b.Bytes())
	}
}
