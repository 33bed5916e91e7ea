package history_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// made is a run directory to write: what exec leaves, without exec.
type made struct {
	id    string
	began time.Time
	lanes []string
	jobs  int
	// verdict is of the run and its last lane; the others passed.
	verdict event.Verdict
	// cut leaves the end out, and half a line in.
	cut bool
}

// journal are the run's events.
func (m made) journal() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	seq := int64(0)
	say := func(ev event.Event) {
		seq++
		ev.Seq, ev.Time = seq, m.began.Add(time.Duration(seq)*time.Millisecond)
		if seq == 1 {
			ev.Time = m.began
		}
		e.Encode(ev)
	}
	var jobs []string
	for i := range m.jobs {
		jobs = append(jobs, fmt.Sprintf("job-%d", i))
	}
	say(event.Event{JournalOpened: &event.JournalOpened{SchemaVersion: event.SchemaVersion, RunID: m.id, Pikaci: "v1"}})
	say(event.Event{RunStarted: &event.RunStarted{Lanes: m.lanes, Jobs: jobs, Parallel: 2, RunDir: "/elsewhere/" + m.id}})
	for _, j := range jobs {
		say(event.Event{NodeStarted: &event.NodeStarted{Node: "execute-" + j, Attempt: 1}})
		for _, p := range []event.Phase{event.Create, event.Start, event.Command, event.Delete} {
			say(event.Event{PhaseStarted: &event.PhaseStarted{Phase: p, Job: j}})
			say(event.Event{PhaseFinished: &event.PhaseFinished{Phase: p, Job: j, DurationMS: 1}})
		}
	}
	if m.cut {
		b.WriteString(`{"seq":99,"time":"20`)
		return b.Bytes()
	}
	verdict, reason, code := m.verdict, "", 0
	if verdict == "" {
		verdict = event.Passed
	}
	if verdict == event.Failed {
		code, reason = 1, fmt.Sprintf("1 of %d failed", m.jobs)
	}
	for i, l := range m.lanes {
		of := event.Passed
		if i == len(m.lanes)-1 {
			of = verdict
		}
		say(event.Event{LaneFinished: &event.LaneFinished{Lane: l, Verdict: of}})
	}
	say(event.Event{RunFinished: &event.RunFinished{Verdict: verdict, ExitCode: code, Reason: reason, DurationMS: 1500}})
	return b.Bytes()
}

// write makes the run's directory.
func write(t testing.TB, root string, m made) *record.Dir {
	t.Helper()
	dir := filepath.Join(root, "runs", m.id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "events.jsonl"), m.journal(), 0o644); err != nil {
		t.Fatal(err)
	}
	return &record.Dir{ID: m.id, Path: dir}
}
