package record_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

func ranFor(id string, took time.Duration, v event.Verdict, attempts int) record.NodeRecord {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	end := start.Add(took)
	return record.NodeRecord{ID: id, Attempts: attempts, StartedAt: &start, EndedAt: &end, Outcome: event.Outcome{Verdict: v}}
}

func TestDurationsAreOfPassesAndTheLastCountsHalf(t *testing.T) {
	root := t.TempDir()
	d := record.ReadDurations(root)
	d.Note(record.Run{Nodes: []record.NodeRecord{
		ranFor("a", 8*time.Second, event.Passed, 1),
		ranFor("failed", time.Second, event.Failed, 1),
		ranFor("flaky", time.Second, event.Passed, 2),
		{ID: "skipped", Outcome: event.Outcome{Verdict: event.Skipped}},
	}})
	if err := d.Write(root); err != nil {
		t.Fatal(err)
	}
	d = record.ReadDurations(root)
	if len(d) != 1 || d["a"] != 8*time.Second {
		t.Fatalf("%v", d)
	}
	d.Note(record.Run{Nodes: []record.NodeRecord{ranFor("a", 4*time.Second, event.Passed, 1)}})
	if d["a"] != 6*time.Second {
		t.Errorf("%v", d)
	}
}

func TestDamagedDurationsAreNone(t *testing.T) {
	root := t.TempDir()
	for _, damaged := range []string{"", "null", `{"a": "x"}`, `{"a": -1}`, `{"a": 9000000000000000000}`} {
		if err := os.WriteFile(filepath.Join(root, "durations.json"), []byte(damaged), 0o644); err != nil {
			t.Fatal(err)
		}
		d := record.ReadDurations(root)
		if len(d) != 0 {
			t.Errorf("%q: %v", damaged, d)
		}
		d.Note(record.Run{Nodes: []record.NodeRecord{ranFor("a", time.Second, event.Passed, 1)}})
		if err := d.Write(root); err != nil {
			t.Error(err)
		}
	}
}
