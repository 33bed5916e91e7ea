package report_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/clipperhouse/displaywidth"
	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/schema/plan"
)

var boardStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// boardPlan has a job under way, one each that waits for a payload, a job and a
// group, and names as they must not reach a terminal.
func boardPlan() *plan.Plan {
	job := func(id, lane string) plan.Job { return plan.Job{ID: id, Lane: lane} }
	run := func(id string, deps ...string) plan.Node {
		return plan.Node{ID: plan.ExecuteID(id), DependsOn: deps, Jobs: []string{id}, HostCommand: &plan.HostCommand{Job: id}}
	}
	return &plan.Plan{
		Jobs: []plan.Job{job("run", "a"), job("built", "a"), job("後で-needs", "a"), job("grouped", "b"), job("evil\x1b[2J\n\u202e", "a")},
		Nodes: []plan.Node{
			{ID: "prepare-workspace-deps", Jobs: []string{"built"}, NixBuild: &plan.NixBuild{}},
			run("run"), run("built", "prepare-workspace-deps"), run("後で-needs", "execute-run"), run("grouped"), run("evil\x1b[2J\n\u202e"),
		},
	}
}

func boardEvents() []event.Event {
	at := func(s int, e event.Event) event.Event {
		e.Time = boardStart.Add(time.Duration(s) * time.Second)
		return e
	}
	return []event.Event{
		at(0, event.Event{RunStarted: &event.RunStarted{Parallel: 1, Jobs: []string{"run", "built", "後で-needs", "grouped", "evil\x1b[2J\n\u202e"}, Lanes: []string{"a", "b"}}}),
		at(0, event.Event{PhaseStarted: &event.PhaseStarted{Phase: event.Snapshot}}),
		at(2, event.Event{PhaseFinished: &event.PhaseFinished{Phase: event.Snapshot}}),
		at(2, event.Event{NodeStarted: &event.NodeStarted{Node: "prepare-workspace-deps", Attempt: 1}}),
		at(2, event.Event{PhaseStarted: &event.PhaseStarted{Phase: event.Build, Node: "prepare-workspace-deps"}}),
		at(3, event.Event{NodeStarted: &event.NodeStarted{Node: "execute-run", Attempt: 1}}),
		at(3, event.Event{PhaseStarted: &event.PhaseStarted{Phase: event.Command, Node: "execute-run", Job: "run"}}),
		at(4, event.Event{GroupWaited: &event.GroupWaited{Lane: "b", Group: "g", Holder: "lane a"}}),
	}
}

func someBoard(events []event.Event) *report.Board {
	b := report.NewBoard(boardPlan(), map[string]time.Duration{"execute-run": 40 * time.Second, "prepare-workspace-deps": 5 * time.Second})
	for _, e := range events {
		b.Add(e)
	}
	return b
}

func TestFrames(t *testing.T) {
	var all strings.Builder
	for _, total := range []int64{0, 3 << 30} {
		b := someBoard(boardEvents()[:2])
		b.Add(event.Event{Transfer: &event.Transfer{Phase: event.Snapshot, Bytes: 1 << 30, TotalBytes: total}})
		for _, columns := range []int{20, 80} {
			fmt.Fprintf(&all, "-- %d columns, a copy of %d bytes --\n%s\n", columns, total, strings.Join(b.Frame(boardStart.Add(3*time.Second), columns, 5), "\n"))
		}
	}
	for _, size := range [][2]int{{20, 24}, {80, 24}, {500, 24}, {80, 5}, {80, 2}} {
		fmt.Fprintf(&all, "-- %d columns, %d rows --\n", size[0], size[1])
		for _, line := range someBoard(boardEvents()).Frame(boardStart.Add(23*time.Second), size[0], size[1]) {
			all.WriteString(line + "\n")
		}
	}
	golden(t, "frames.golden", []byte(all.String()))
}

// TestFramesFit: whatever happened and whatever the size, a frame fits.
func TestFramesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := boardEvents()
		b := someBoard(events[:rapid.IntRange(0, len(events)).Draw(t, "events")])
		b.Add(event.Event{Interrupted: &event.Interrupted{Reason: rapid.String().Draw(t, "reason")}})
		b.Add(event.Event{NodeStarted: &event.NodeStarted{Node: rapid.String().Draw(t, "node")}})
		columns, rows := rapid.IntRange(0, 200).Draw(t, "columns"), rapid.IntRange(0, 12).Draw(t, "rows")
		lines := b.Frame(boardStart.Add(time.Minute), columns, rows)
		if len(lines) > max(0, rows-1) {
			t.Fatalf("%d lines on %d rows", len(lines), rows)
		}
		for _, line := range lines {
			if displaywidth.String(line) >= columns {
				t.Fatalf("%q is %d wide on %d columns", line, displaywidth.String(line), columns)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
				t.Fatalf("%q has control characters", line)
			}
		}
	})
}

// writes keeps what is written at once.
type writes struct{ all []string }

func (w *writes) Write(p []byte) (int, error) { w.all = append(w.all, string(p)); return len(p), nil }

// TestLiveDrawsWhatChanged: one write a frame, no more than ten a second, and
// but one a second where only the clock goes on; nothing is left at the end.
func TestLiveDrawsWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &writes{}
		began := time.Now()
		l := report.NewLive(w, false, report.NewBoard(boardPlan(), nil), func() (int, int) { return 80, 24 })
		for _, e := range boardEvents() {
			e.Time = began
			l.Event(e)
		}
		time.Sleep(10*time.Second + 50*time.Millisecond)
		synctest.Wait()
		if n := len(w.all); n != 11 {
			t.Errorf("%d frames in ten seconds without a change, want 11", n)
		}
		before := len(w.all)
		for i := range 1000 {
			l.Output("run", event.Stdout, fmt.Appendf(nil, "line %d \x1b[2J\n", i))
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if n := len(w.all) - before; n > 10 {
			t.Errorf("%d frames in a second", n)
		}
		l.Event(event.Event{JobFinished: &event.JobFinished{Job: "run", Lane: "a", Outcome: event.Outcome{Verdict: event.Failed, Failure: event.Test}}})
		l.Close()
		all := strings.Join(w.all, "")
		if n := strings.Count(all, "│ line "); n != 20 || !strings.Contains(all, "│ line 999 \n") || strings.Contains(all, "\x1b[2J") {
			t.Errorf("%d lines of the failed job's log, in %q", n, w.all[len(w.all)-1])
		}
		last := w.all[len(w.all)-1]
		if !strings.HasSuffix(last, "│ line 999 \n"+"\x1b[?2026l") {
			t.Errorf("something is left of the region: %q", last)
		}
	})
}

func TestLiveAfterTheTerminalBecameNarrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &writes{}
		var columns atomic.Int64
		columns.Store(80)
		l := report.NewLive(w, false, someBoard(boardEvents()), func() (int, int) { return int(columns.Load()), 24 })
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		first := strings.Split(strings.TrimSuffix(regexp.MustCompile("\x1b\\[[?0-9]*[A-Za-z]").ReplaceAllString(w.all[0], ""), "\n"), "\n")
		rows := 0
		for _, line := range first {
			rows += (displaywidth.String(strings.TrimPrefix(line, "\r")) + 19) / 20
		}
		columns.Store(20)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if want := fmt.Sprintf("\x1b[%dA", rows); rows <= len(first) || !strings.Contains(w.all[len(w.all)-1], want) {
			t.Errorf("%d lines took %d rows, %q", len(first), rows, w.all[len(w.all)-1])
		}
		l.Close()
	})
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var human, jsonl bytes.Buffer
		for _, to := range []report.Reader{report.NewHuman(&human, false), report.NewJSONL(&jsonl)} {
			r := report.NewBeats(to, report.NewBoard(boardPlan(), nil))
			for _, e := range boardEvents() {
				e.Time = time.Now()
				r.Event(e)
			}
			// How far a copy is takes no line of its own.
			r.Event(event.Event{PhaseStarted: &event.PhaseStarted{Phase: event.Artifacts}, Time: time.Now()})
			for range 200 {
				r.Event(event.Event{Transfer: &event.Transfer{Phase: event.Artifacts, Bytes: 3 << 20, TotalBytes: 4 << 20}})
			}
			time.Sleep(65 * time.Second)
			r.Close()
		}
		want := "after 1m0s: running: artifacts for 1m0s (3.0 MiB of 4.0 MiB), prepare-workspace-deps for 1m0s, run for 1m0s; 4 jobs waiting\n"
		if !strings.HasSuffix(human.String(), want) || strings.Count(human.String(), "after ") != 2 || strings.Count(human.String(), "MiB") != 4 {
			t.Errorf("%s", human.String())
		}
		lines := strings.Split(strings.TrimSpace(jsonl.String()), "\n")
		if n := strings.Count(jsonl.String(), `"heartbeat":`); n != 2 {
			t.Errorf("%d heartbeats", n)
		}
		if last := lines[len(lines)-1]; !strings.Contains(last, `{"job":"grouped","for":"group","name":"lane a"}`) {
			t.Errorf("%s", last)
		}
	})
}
