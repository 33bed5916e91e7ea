package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
)

var update = flag.Bool("update", false, "write what comes out to testdata")

// golden holds what came out against testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update writes it); got:\n%s", path, got)
	}
}

// step is an event, a chunk of a log, or how much of one was missed.
type step struct {
	event  event.Event
	stream event.Stream
	chunk  string
	missed int64
}

func out(s event.Stream, chunk string) step { return step{stream: s, chunk: chunk} }

// aRun is a run of everything that a reader shows, with a hostile guest.
func aRun() []step {
	exit := 3
	failed := event.Outcome{Verdict: event.Failed, Failure: event.Test, ExitCode: &exit}
	lease := event.Lease{Kind: "incus_instance", Name: "pikaci-1", Node: "prepare-unit-runner", Job: "unit"}
	return []step{
		{event: event.Event{JournalOpened: &event.JournalOpened{SchemaVersion: 1, RunID: "01r", Pikaci: "v1"}}},
		{event: event.Event{RunStarted: &event.RunStarted{PlanDigest: "sha256:d", SourceRoot: "/src", RunDir: "/state/runs/01r",
			Parallel: 2, Lanes: []string{"check"}, Jobs: []string{"unit", "lint"}}}},
		{event: event.Event{PhaseStarted: &event.PhaseStarted{Phase: event.HostSetup, Detail: `["just" "setup"]`}}},
		{event: event.Event{PhaseFinished: &event.PhaseFinished{Phase: event.HostSetup, DurationMS: 10}}},
		{event: event.Event{SnapshotTaken: &event.SnapshotTaken{ContentHash: "sha256:0123456789abcdef0123", Files: 1, Bytes: 12_900_000}}},
		{event: event.Event{PhaseStarted: &event.PhaseStarted{Phase: event.Build, Node: "prepare-deps"}}},
		{event: event.Event{PayloadReady: &event.PayloadReady{Node: "prepare-deps", OutputName: "ci.deps", StorePath: "/nix/store/x-deps"}}},
		{event: event.Event{LeaseIntended: &lease}},
		{event: event.Event{NodeStarted: &event.NodeStarted{Node: "execute-unit", Attempt: 1}}},
		{event: event.Event{PhaseStarted: &event.PhaseStarted{Phase: event.Command, Job: "unit"}}},
		out(event.Stdout, "two lines\nof out"), out(event.Stderr, "and an error\n"), out(event.Stdout, "put\n"),
		out(event.Host, "pikaci: mounted\n"),
		out(event.Stdout, "\x1b[31mred\x1b[0m \x1b[2J\x1b[Hcleared\n"),
		out(event.Stdout, "\x1b]0;title\x07after the title \x1bP1;2|q\x1b\\after a string\x1b\n"),
		out(event.Stdout, " 10%\r 50%\r100%\r\n"), out(event.Stdout, "CRLF\r\n\n\ttab\n"),
		out(event.Stdout, "\u202eturned\u202c \x9b31m\u009b31m \xff\xfe \x00\x08\x7f日本 ✓\n"),
		out(event.Stdout, "a part"), {stream: event.Stdout, missed: 12_900_000},
		{event: event.Event{NodeRetried: &event.NodeRetried{Node: "execute-unit", Attempt: 1, Outcome: failed}}},
		{event: event.Event{Artifact: &event.Artifact{Job: "unit", Path: "ok.txt", Bytes: 1}}},
		{event: event.Event{Artifact: &event.Artifact{Job: "unit", Path: "\x1b[31m\n../x", Refused: "leads out"}}},
		out(event.Stderr, "no final newline"),
		{event: event.Event{LogTruncated: &event.LogTruncated{Job: "unit", Stream: event.Stdout, Bytes: 1500}}},
		{event: event.Event{Interrupted: &event.Interrupted{Reason: "SIGTERM"}}},
		{event: event.Event{LeaseLeft: &event.LeaseLeft{Lease: lease, Error: "dial: refused\ntry: \x1b[31magain\t", Command: "incus delete -f pikaci-1"}}},
		{event: event.Event{JobFinished: &event.JobFinished{Job: "unit", Lane: "check", Outcome: failed, DurationMS: 1234}}},
		{event: event.Event{JobFinished: &event.JobFinished{Job: "lint", Lane: "check", DurationMS: 125_400,
			Outcome: event.Outcome{Verdict: event.Failed, Failure: event.Infra, Signal: "SIGKILL", Reason: "one\n\ntwo\tcolumns\r\n"}}}},
		out(event.Host, "after the job"),
		{event: event.Event{LaneFinished: &event.LaneFinished{Lane: "check", Verdict: event.Failed}}},
		{event: event.Event{RunFinished: &event.RunFinished{Verdict: event.Failed, ExitCode: 1, DurationMS: 130_000}}},
		out(event.Stdout, "after the end"),
	}
}

// show gives a reader all of a run.
func show(t *testing.T, r report.Reader, steps []step) {
	t.Helper()
	seq := int64(0)
	for _, s := range steps {
		var err error
		switch {
		case s.missed > 0:
			err = r.Missed("unit", s.stream, s.missed)
		case s.stream != "":
			err = r.Output("unit", s.stream, []byte(s.chunk))
		default:
			seq++
			s.event.Seq, s.event.Time = seq, time.Date(2026, 1, 2, 3, 4, int(seq), 0, time.UTC)
			err = r.Event(s.event)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHuman(t *testing.T) {
	var b bytes.Buffer
	show(t, report.NewHuman(&b, false), aRun())
	golden(t, "human.golden", b.Bytes())
}

func TestJSONL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // whose clock stands still
		var b bytes.Buffer
		show(t, report.NewJSONL(&b), aRun())
		golden(t, "jsonl.golden", b.Bytes())
	})
}

// TestNobody holds that a run without a reader queues nothing and ends.
func TestNobody(t *testing.T) {
	p := report.NewPump(nil)
	p.Event(event.Event{RunStarted: &event.RunStarted{}})
	p.Output("job", event.Stdout, []byte("line\n"))
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestTable shows the record of the same run, and others.
func TestTable(t *testing.T) {
	var fold record.Fold
	for i, s := range aRun() {
		s.event.Time = time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC)
		fold.Add(s.event)
	}
	phases := func(ms ...int64) []record.PhaseRecord {
		var list []record.PhaseRecord
		for i, p := range []event.Phase{event.Create, event.Start, event.Command, event.Command} {
			if i < len(ms) {
				list = append(list, record.PhaseRecord{Phase: p, DurationMS: ms[i], EndedAt: new(time.Time)})
			}
		}
		return list
	}
	for name, r := range map[string]record.Run{
		"folded": fold.Run(),
		"empty":  {ID: "01r", RunDir: "/state/runs/01r", Verdict: event.Passed, Reason: "nothing to run"},
		"phases": {ID: "01r", RunDir: "/state/runs/01r", Verdict: event.Passed, DurationMS: 61_000,
			Jobs: []record.JobRecord{
				{ID: "a-long-name-of-a-job", Lane: "lane", Outcome: event.Outcome{Verdict: event.Passed}, Phases: phases(120, 9_994, 1_000, 2_000)},
				{ID: "b", Lane: "lane", Outcome: event.Outcome{Verdict: event.Skipped, Reason: "needs\ta\nwhich"}},
				{ID: "c", Phases: phases(1)},
			},
			Nodes: []record.NodeRecord{
				{ID: "prepare-deps", Outcome: event.Outcome{Verdict: event.Passed}, Phases: []record.PhaseRecord{{Phase: event.Build, DurationMS: 3_600_000, EndedAt: new(time.Time)}}},
				{ID: "prepare-b-runner"},
			},
			Lanes: []record.LaneRecord{{ID: "lane", Verdict: event.Partial}, {ID: "other"}},
			Left:  []event.LeaseLeft{{Lease: event.Lease{Name: "pikaci-1"}, Error: "e", Command: "incus delete -f pikaci-1"}}},
	} {
		var b bytes.Buffer
		if err := report.Table(&b, r, false); err != nil {
			t.Fatal(err)
		}
		golden(t, "table-"+name+".golden", b.Bytes())
	}
}
