package history_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/history"
	"github.com/sledtools/pikaci/runtime/record"
)

// ids are of all runs, the newest first.
func ids(runs *history.Runs) []string {
	var list []string
	for s := range runs.All() {
		list = append(list, s.ID)
	}
	return list
}

func openRuns(t testing.TB, root string) *history.Runs {
	t.Helper()
	runs, err := history.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

func TestOrder(t *testing.T) {
	root := t.TempDir()
	write(t, root, made{id: "b-nightly", began: at(2)})
	third, first := record.NewID(at(3)), record.NewID(at(1))
	write(t, root, made{id: third, began: at(3)})
	write(t, root, made{id: "a-nightly", began: at(4)})
	write(t, root, made{id: first, began: at(1)})
	os.WriteFile(filepath.Join(root, "runs", "not a run"), nil, 0o644)
	want := []string{"a-nightly", third, "b-nightly", first}
	if got := ids(openRuns(t, root)); !slices.Equal(got, want) {
		t.Errorf("runs are %q, want %q", got, want)
	}
}

func TestSummary(t *testing.T) {
	root := t.TempDir()
	write(t, root, made{id: "ended", began: at(0), lanes: []string{"a", "b"}, jobs: 3, verdict: event.Failed})
	write(t, root, made{id: "cut-off", began: at(0), lanes: []string{"a"}, jobs: 1, cut: true})
	// The end of a journal is found also where it is long.
	many := made{id: "many-lanes", began: at(0), jobs: 1, verdict: event.Passed}
	for i := range 500 {
		many.lanes = append(many.lanes, strings.Repeat("l", 60)+string(rune('a'+i%26))+strings.Repeat("x", i/26))
	}
	write(t, root, many)
	os.Mkdir(filepath.Join(root, "runs", "empty"), 0o755)
	got := map[string]history.Summary{}
	for s := range openRuns(t, root).All() {
		got[s.ID] = s
	}
	if s := got["ended"]; s.State != record.Finished || s.Verdict != event.Failed || *s.ExitCode != 1 || s.Reason != "1 of 3 failed" ||
		s.Jobs != 3 || !s.StartedAt.Equal(at(0)) || s.FinishedAt.Before(at(0)) || s.DurationMS != 1500 || s.Lanes[1].Verdict != event.Failed {
		t.Errorf("a run that ended: %+v", s)
	}
	if s := got["cut-off"]; s.State != record.Unfinished || s.Verdict != "" || s.FinishedAt != nil || s.Lanes[0].ID != "a" || s.Lanes[0].Verdict != "" {
		t.Errorf("a run that was killed: %+v", s)
	}
	if s := got["many-lanes"]; s.State != record.Finished || len(s.Lanes) != 500 || s.Lanes[0].Verdict != event.Passed || s.Lanes[499].Verdict != event.Passed {
		t.Errorf("a run of many lanes: %s, %d lanes, first %+v", s.State, len(s.Lanes), s.Lanes[0])
	}
	if s := got["empty"]; s.State != history.Unreadable || !strings.Contains(s.Problem, "no such file") {
		t.Errorf("a folder without events: %+v", s)
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	write(t, root, made{id: "lint-1", began: at(1), lanes: []string{"unit"}})
	write(t, root, made{id: "lint-2", began: at(2), lanes: []string{"lint", "unit"}})
	write(t, root, made{id: "x", began: at(3), lanes: []string{"other"}})
	write(t, root, made{id: "x-2", began: at(4), lanes: []string{"other"}})
	runs := openRuns(t, root)
	for name, want := range map[string]string{
		"latest": "x-2", "x": "x", "x-": "x-2", "lint-1": "lint-1",
		"lint":  "lint-2", // a lane's whole name stands before the beginning of an id
		"unit":  "lint-2",
		"other": "x-2",
	} {
		d, err := runs.Find(name)
		if err != nil || d.ID != want || d.Path != filepath.Join(root, "runs", want) {
			t.Errorf("%s is %+v, %v, want %s", name, d, err, want)
		}
	}
	for name, want := range map[string]string{
		"lint-": `"lint-" is the beginning of 2 runs: lint-2, lint-1`,
		"un":    `no run is named "un"`,
		"":      `no run is named ""`,
		"..":    `no run is named ".."`,
	} {
		_, err := runs.Find(name)
		if e := new(history.FindError); !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %s", name, err, want)
		}
	}
	if _, err := openRuns(t, t.TempDir()).Find("latest"); err == nil || !strings.Contains(err.Error(), "there is no run in") {
		t.Errorf("latest of nothing gives %v", err)
	}
}

// at is a time, so many seconds after another.
func at(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC) }
