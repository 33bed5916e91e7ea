package record_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

func opened() event.Event {
	return event.Event{JournalOpened: &event.JournalOpened{SchemaVersion: event.SchemaVersion, RunID: "run", Pikaci: "v1"}}
}

// open gives a journal that has its first line, and what watch is told.
func open(t testing.TB, d *record.Dir) (*record.Journal, *[]event.Event) {
	t.Helper()
	watched := new([]event.Event)
	j, err := d.OpenJournal(func(e event.Event) { *watched = append(*watched, e) })
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(opened(), event.Now); err != nil {
		t.Fatal(err)
	}
	return j, watched
}

// read reads a journal's text.
func read(b []byte) (events []event.Event, err error) {
	err = record.ReadEvents(bytes.NewReader(b), func(e event.Event) error {
		events = append(events, e)
		return nil
	})
	return events, err
}

func content(t testing.TB, d *record.Dir) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(d.Path, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func started(i int) event.Event {
	return event.Event{NodeStarted: &event.NodeStarted{Node: fmt.Sprintf("n%d", i), Attempt: i}}
}

func TestJournalFromManyGoroutines(t *testing.T) {
	d := create(t)
	j, watched := open(t, d)
	var all sync.WaitGroup
	for g := range 20 {
		all.Go(func() {
			for i := range 50 {
				if err := j.Append(started(g*50+i), event.Safety(i%3)); err != nil {
					t.Error(err)
				}
				j.Records()
			}
		})
	}
	all.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	events, err := read(content(t, d))
	if err != nil || len(events) != 1001 {
		t.Fatalf("%d events: %v", len(events), err)
	}
	if asJSON(t, events) != asJSON(t, *watched) {
		t.Error("watch was told something else")
	}
	for i, e := range events {
		if e.Seq != int64(i+1) || e.Time.IsZero() || i > 0 && e.Time.Before(events[i-1].Time) {
			t.Fatalf("event %d is %+v", i, e)
		}
	}
}

func TestJournalOnlyOnce(t *testing.T) {
	d := create(t)
	j, _ := open(t, d)
	defer j.Close()
	if again, err := d.OpenJournal(nil); err == nil {
		t.Errorf("opened twice: %v", again)
	}
}

// TestJournalOnAFullDisk: after a first error nothing more is written, also
// when there is room again, and every line is whole.
func TestJournalOnAFullDisk(t *testing.T) {
	root := smallDisk(t, 256<<10)
	d := createIn(t, root)
	j, watched := open(t, d)
	// A line ends where a block of the disk ends only by chance: one of
	// these is cut off.
	undo := fill(t, root)
	good := 1
	var broken error
	for i := 0; broken == nil && i < 1000; i++ {
		if broken = j.Append(started(i), event.Now); broken == nil {
			good++
		}
	}
	if !errors.Is(broken, syscall.ENOSPC) {
		t.Fatalf("got %v, want no space", broken)
	}
	undo()
	if err := j.Append(started(9999), event.Now); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("after the error: %v", err)
	}
	run, _ := j.Records()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	b := content(t, d)
	events, err := read(b)
	if err != nil || len(events) != good || !bytes.HasSuffix(b, []byte("\n")) {
		t.Errorf("%d events, want %d; ends in %q: %v", len(events), good, b[max(0, len(b)-20):], err)
	}
	if len(*watched) != good+2 || len(run.Nodes) != good+1 {
		t.Errorf("watch got %d events, the fold %d nodes, of %d", len(*watched), len(run.Nodes), good+2)
	}
}

func TestJournalTakesNoEventThatCantBeRead(t *testing.T) {
	d := create(t)
	j, _ := open(t, d)
	e := event.Event{Interrupted: &event.Interrupted{Reason: strings.Repeat("x", 17<<20)}}
	if err := j.Append(e, event.Later); err == nil || !strings.Contains(err.Error(), "over 16 MiB") {
		t.Errorf("got %v", err)
	}
	if err := j.Append(started(1), event.Later); err == nil {
		t.Error("a journal with a hole")
	}
	j.Close()
	if events, err := read(content(t, d)); err != nil || len(events) != 1 {
		t.Errorf("%d events: %v", len(events), err)
	}
}

// journalText is a journal of some events.
func journalText(t testing.TB) []byte {
	d := create(t)
	j, _ := open(t, d)
	for i := range 3 {
		if err := j.Append(started(i), event.Later); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Append(event.Event{Interrupted: &event.Interrupted{Reason: "a\nb \u2028 ü"}}, event.Later); err != nil {
		t.Fatal(err)
	}
	j.Close()
	return content(t, d)
}

func TestReadEventsOfATornJournal(t *testing.T) {
	text := journalText(t)
	for n := range len(text) + 1 {
		events, err := read(text[:n])
		if want := bytes.Count(text[:n], []byte("\n")); err != nil || len(events) != want {
			t.Fatalf("first %d bytes: %d events, want %d: %v", n, len(events), want, err)
		}
	}
	// A machine that lost power may leave zeros where the end should be.
	if events, err := read(append(slices.Clone(text), 0, 0, 0, 0)); err != nil || len(events) != 5 {
		t.Errorf("zeros at the end: %d events: %v", len(events), err)
	}
}

func TestReadEventsRefuses(t *testing.T) {
	lines := strings.SplitAfter(strings.TrimSuffix(string(journalText(t)), "\n"), "\n")
	with := func(i int, line string) string {
		c := slices.Clone(lines)
		c[i] = line
		return strings.Join(c, "") + "\n"
	}
	without := func(i int) string { return strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "") + "\n" }
	for name, tt := range map[string][2]string{
		"garbage":            {with(2, "garbage\n"), "events.jsonl:3: not an event: "},
		"empty line":         {with(2, "\n"), "events.jsonl:3: not an event: "},
		"null":               {with(2, "null\n"), "events.jsonl:3: not the next event: seq is 0, want 3"},
		"a line twice":       {with(2, lines[1]), "events.jsonl:3: not the next event: seq is 2, want 3"},
		"a line left out":    {without(2), "events.jsonl:3: not the next event: seq is 4, want 3"},
		"two in one line":    {with(2, "{} {}\n"), "events.jsonl:3: not an event: "},
		"wrong type":         {with(2, `{"seq":3,"node_started":7}`+"\n"), "events.jsonl:3: not an event: "},
		"long":               {with(2, strings.Repeat("x", 20<<20)+"\n"), "events.jsonl:3: an event of over 16 MiB"},
		"long by one byte":   {with(2, strings.Repeat("x", 16<<20+1)+"\n"), "events.jsonl:3: an event of over 16 MiB"},
		"long and torn":      {strings.Repeat("x", 20<<20), "events.jsonl:1: an event of over 16 MiB"},
		"first is missing":   {without(0), "events.jsonl:1: not the beginning of a journal: want journal_opened"},
		"first is garbage":   {with(0, "garbage\n"), "events.jsonl:1: not the beginning of a journal"},
		"newer":              {with(0, `{"seq":"in words","journal_opened":{"schema_version":2}}`+"\n"), "events.jsonl:1: a journal of schema version 2: this pikaci reads version 1"},
		"no version":         {with(0, `{"seq":1,"journal_opened":{}}`+"\n"), "events.jsonl:1: a journal of schema version 0: this pikaci reads version 1"},
		"first is not seq 1": {with(0, `{"seq":2,"journal_opened":{"schema_version":1}}`+"\n"), "events.jsonl:1: not the next event"},
	} {
		if _, err := read([]byte(tt[0])); err == nil || !strings.HasPrefix(err.Error(), tt[1]) {
			t.Errorf("%s: got %v\nwant %s", name, err, tt[1])
		}
	}
}

func TestReadEventsTakesUnknownEvents(t *testing.T) {
	text := `{"seq":1,"journal_opened":{"schema_version":1,"more":1}}` + "\n" + `{"seq":2,"invented_later":{"x":1}}` + "\n"
	if events, err := read([]byte(text)); err != nil || len(events) != 2 {
		t.Errorf("%d events: %v", len(events), err)
	}
}

func TestReadEventsHandsOnErrors(t *testing.T) {
	enough := errors.New("enough")
	n := 0
	err := record.ReadEvents(bytes.NewReader(journalText(t)), func(event.Event) error {
		n++
		return enough
	})
	if err != enough || n != 1 {
		t.Errorf("%d events, %v", n, err)
	}
	failing := errReader{enough}
	if err := record.ReadEvents(failing, nil); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func FuzzReadEvents(f *testing.F) {
	text := journalText(f)
	f.Add(text)
	f.Add(text[:len(text)-3])
	f.Add([]byte("{\"seq\":1,\"journal_opened\":{\"schema_version\":1}}\n{\"seq\":2,\"lease_left\":{\"name\":\"x\"}}\n"))
	f.Add([]byte("null\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		events, err := read(b)
		var fold record.Fold
		var again bytes.Buffer
		for i, e := range events {
			if e.Seq != int64(i+1) {
				t.Fatalf("event %d has seq %d", i+1, e.Seq)
			}
			fold.Add(e)
			line, err := json.Marshal(e)
			if err != nil {
				return // a time that has no JSON
			}
			again.Write(append(line, '\n'))
		}
		asJSON(t, fold.Run())
		if err != nil {
			return
		}
		back, err := read(again.Bytes())
		if err != nil || asJSON(t, back) != asJSON(t, events) {
			t.Fatalf("written again it reads as something else: %v", err)
		}
		if n := bytes.LastIndexByte(b, '\n') + 1; n < len(b) {
			if whole, err := read(b[:n]); err != nil || len(whole) != len(events) {
				t.Fatalf("without its torn line: %d events, %v", len(whole), err)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	j, err := create(b).OpenJournal(func(event.Event) {})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	for i := 0; b.Loop(); i++ {
		if err := j.Append(started(i%100), event.Later); err != nil {
			b.Fatal(err)
		}
	}
}

// Verdicts that come fast are synced together, and soon.
func TestSoon(t *testing.T) {
	d := create(t)
	j, _ := open(t, d)
	for i := range 1000 {
		if err := j.Append(started(i), event.Soon); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(150 * time.Millisecond) // a sync is under way or done
	if err := j.Append(started(1000), event.Soon); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(started(1001), event.Soon); err == nil {
		t.Error("a closed journal took an event")
	}
	if n := bytes.Count(content(t, d), []byte("\n")); n != 1002 { // with the first
		t.Errorf("%d events", n)
	}
}
