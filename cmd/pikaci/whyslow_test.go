package main

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/history"
	"github.com/sledtools/pikaci/runtime/record"
)

// A run of many jobs is compared with as many others as are read in a moment;
// whoever asks for it waits for all of them.
func TestRunsBeforeAreReadUntilTheyHaveSoManyJobs(t *testing.T) {
	root := t.TempDir()
	lanes := []record.LaneRecord{{ID: "lane"}}
	begin := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	for i := range 4 {
		ranJobs(t, root, record.NewID(begin.Add(time.Duration(i)*time.Minute)), lanes[0].ID, 40)
	}
	runs, err := history.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	now := record.Run{StartedAt: time.Now().Add(time.Hour), Lanes: lanes}
	for jobs, want := range map[int]int{1: 1, 40: 1, 41: 2, 100: 3, math.MaxInt: 4} {
		if got := runsBefore(runs, &record.Dir{}, now, lookBack, jobs); len(got) != want {
			t.Errorf("until %d jobs: %d runs, want %d", jobs, len(got), want)
		}
	}
}

// ranJobs leaves what a run of so many jobs leaves.
func ranJobs(t *testing.T, root, id, lane string, jobs int) {
	t.Helper()
	d, err := record.Create(root, id)
	if err != nil {
		t.Fatal(err)
	}
	j, err := d.OpenJournal(func(event.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	started := &event.RunStarted{Lanes: []string{lane}}
	for i := range jobs {
		started.Jobs = append(started.Jobs, fmt.Sprintf("job-%d", i))
	}
	for _, e := range []event.Event{
		{JournalOpened: &event.JournalOpened{SchemaVersion: event.SchemaVersion, RunID: id, Pikaci: "v1"}},
		{RunStarted: started},
		{LaneFinished: &event.LaneFinished{Lane: lane, Verdict: event.Passed}},
		{RunFinished: &event.RunFinished{Verdict: event.Passed}},
	} {
		if err := j.Append(e, event.Later); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := j.Records()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.WriteJSON("run.json", r); err != nil {
		t.Fatal(err)
	}
}
