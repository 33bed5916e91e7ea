package record_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// TestEndingIsTheFolds: the end of a journal, read alone, says what the whole
// of it does, wherever its writer was killed.
func TestEndingIsTheFolds(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		d, err := record.Create(root, record.NewID(time.Now()))
		if err != nil {
			rt.Fatal(err)
		}
		j, err := d.OpenJournal(func(event.Event) {})
		if err != nil {
			rt.Fatal(err)
		}
		lanes := rapid.SampledFrom([]int{0, 1, 3, 400}).Draw(rt, "lanes")
		var ids []string
		for i := range lanes {
			ids = append(ids, strings.Repeat("l", i%50)+string(rune('a'+i%26))+strings.Repeat("x", i/26))
		}
		say := func(e event.Event) {
			if err := j.Append(e, event.Later); err != nil {
				rt.Fatal(err)
			}
		}
		say(event.Event{JournalOpened: &event.JournalOpened{SchemaVersion: event.SchemaVersion, RunID: d.ID}})
		say(event.Event{RunStarted: &event.RunStarted{Lanes: ids}})
		for range rapid.IntRange(0, 3).Draw(rt, "others") {
			say(event.Event{Interrupted: &event.Interrupted{Reason: strings.Repeat("r", rapid.IntRange(0, 20_000).Draw(rt, "long"))}})
		}
		for _, id := range ids {
			say(event.Event{LaneFinished: &event.LaneFinished{Lane: id, Verdict: event.Failed}})
		}
		say(event.Event{RunFinished: &event.RunFinished{Verdict: event.Failed, ExitCode: 1, DurationMS: 7}})
		j.Close()
		b := content(t, d)
		b = b[:len(b)-rapid.IntRange(0, min(len(b)-1, 40_000)).Draw(rt, "cut off")*rapid.IntRange(0, 1).Draw(rt, "killed")]
		var fold record.Fold
		record.ReadEvents(bytes.NewReader([]byte(b)), func(e event.Event) error { fold.Add(e); return nil })
		run := fold.Run()
		end, err := record.ReadEnding(bytes.NewReader([]byte(b)), int64(len(b)))
		if err != nil {
			rt.Fatal(err)
		}
		if (end.Finished != nil) != (run.FinishedAt != nil) {
			rt.Fatalf("the ending has an end: %v, the run: %v", end.Finished != nil, run.FinishedAt != nil)
		}
		if end.Finished == nil {
			return
		}
		if end.Finished.Verdict != run.Verdict || !end.FinishedAt.Equal(*run.FinishedAt) || end.Finished.DurationMS != run.DurationMS || len(end.Lanes) != len(run.Lanes) {
			rt.Fatalf("the ending is %+v with %d lanes, the run %+v", end, len(end.Lanes), run)
		}
	})
}
