package record_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// However much of the last line was written, the run goes on behind the last
// whole one.
func TestReopenAJournalThatWasCutOffAnywhere(t *testing.T) {
	first := create(t)
	j, _ := open(t, first)
	for i := range 3 {
		if err := j.Append(started(i), event.Later); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	text := content(t, first)
	begin := strings.LastIndex(strings.TrimSuffix(string(text), "\n"), "\n") + 1
	for cut := begin; cut <= len(text); cut++ {
		d := create(t)
		if err := os.WriteFile(filepath.Join(d.Path, "events.jsonl"), text[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		lock, err := d.Lock()
		if err != nil {
			t.Fatal(err)
		}
		j, torn, err := lock.Reopen(func(event.Event) {})
		wantTorn, wantSeq := int64(cut-begin), int64(4)
		if cut == len(text) {
			wantTorn, wantSeq = 0, 5
		}
		if err != nil || torn != wantTorn {
			t.Fatalf("cut at %d: %d bytes torn, want %d: %v", cut, torn, wantTorn, err)
		}
		if err := j.Append(event.Event{Resumed: &event.Resumed{Torn: torn}}, event.Now); err != nil {
			t.Fatal(err)
		}
		live, _ := j.Records()
		j.Close()
		lock.Release()
		events, err := read(content(t, d))
		if err != nil || events[len(events)-1].Seq != wantSeq || events[len(events)-1].Resumed == nil {
			t.Fatalf("cut at %d: %d events, %v", cut, len(events), err)
		}
		if after, err := d.Read(); err != nil || asJSON(t, after.Run) != asJSON(t, live) {
			t.Fatalf("cut at %d: the file's fold is another one: %v", cut, err)
		}
	}
}

// A journal that is broken elsewhere is not written on, nor changed.
func TestReopenABrokenJournal(t *testing.T) {
	for _, text := range []string{"", "x\n", "x\nyy", `{"seq":2}` + "\n"} {
		d := create(t)
		name := filepath.Join(d.Path, "events.jsonl")
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		lock, err := d.Lock()
		if err != nil {
			t.Fatal(err)
		}
		j, _, err := lock.Reopen(func(event.Event) {})
		if text == "" {
			if err != nil {
				t.Errorf("an empty one: %v", err)
			}
			j.Close()
		} else if err == nil {
			t.Errorf("%q was opened", text)
		}
		if got := string(content(t, d)); got != text {
			t.Errorf("%q became %q", text, got)
		}
		lock.Release()
	}
}

// What a mask holds back at an attempt's end is written, and a log that is cut
// to its mark goes on as if nothing had followed; its ceiling counts all of it.
func TestALogGoesOnFromItsMark(t *testing.T) {
	d := create(t)
	logs, _, done := openLogs(t, d, 20, "secret")
	fmt.Fprint(logs.Stdout, "one sec")
	at := logs.Stdout.Mark()
	if at != 7 || logFile(t, d, event.Stdout) != "one sec" {
		t.Fatalf("marked at %d: %q", at, logFile(t, d, event.Stdout))
	}
	fmt.Fprint(logs.Stdout, "half of it")
	if _, err := done(); err != nil {
		t.Fatal(err)
	}
	if err := d.CutLog("j", event.Stdout, at); err != nil {
		t.Fatal(err)
	}
	logs, _, done = openLogs(t, d, 20, "secret")
	fmt.Fprint(logs.Stdout, "|secret|0123456789")
	cut, err := done()
	if got := logFile(t, d, event.Stdout); err != nil || got != "one sec|***|01234567" || cut != "stdout 2" {
		t.Errorf("%q, cut off %q, %v", got, cut, err)
	}
	if err := d.CutLog("never-begun", event.Stdout, 0); err != nil {
		t.Error(err)
	}
}

func TestDropArtifacts(t *testing.T) {
	for _, c := range []struct {
		name          string
		dirs          []string
		attempt       int
		kept, remains bool
	}{
		{"of the first attempt", []string{"artifacts"}, 1, false, false},
		{"none", nil, 1, false, false},
		{"of the second attempt, the first's moved aside", []string{"artifacts", "artifacts.1"}, 2, false, false},
		{"of the second attempt, the first had none", []string{"artifacts"}, 2, true, false},
		{"of the first, the second kept none yet", []string{"artifacts"}, 2, false, true},
	} {
		d := create(t)
		for _, dir := range c.dirs {
			if err := os.MkdirAll(filepath.Join(d.Path, "jobs/j", dir, "sub"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		err := d.DropArtifacts("j", c.attempt, c.kept)
		_, statErr := os.Stat(filepath.Join(d.Path, "jobs/j/artifacts"))
		if err != nil || (statErr == nil) != c.remains {
			t.Errorf("%s: %v, %v", c.name, err, statErr)
		}
	}
}

// An attempt that is made once more brings its artifacts again.
func TestFoldOfAnAttemptThatIsMadeOnceMore(t *testing.T) {
	var fold record.Fold
	kept := func(path string) event.Event { return event.Event{Artifact: &event.Artifact{Job: "j", Path: path}} }
	began := func(attempt int) event.Event {
		return event.Event{NodeStarted: &event.NodeStarted{Node: "execute-j", Attempt: attempt}}
	}
	for _, e := range []event.Event{
		{RunStarted: &event.RunStarted{Jobs: []string{"j"}}},
		began(1), kept("a"), began(2), kept("b"), {Resumed: &event.Resumed{}}, began(2), kept("b"), kept("c"),
	} {
		fold.Add(e)
	}
	var paths []string
	for _, a := range fold.Run().Jobs[0].Artifacts {
		paths = append(paths, a.Path)
	}
	if got := strings.Join(paths, " "); got != "a b c" {
		t.Errorf("artifacts %q", got)
	}
}
