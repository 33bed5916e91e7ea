package record_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// readAll is what Next gives, with the stream before each change of it.
func readAll(t rapid.TB, r *record.LogReader) string {
	var b strings.Builder
	var last event.Stream
	err := r.Next(func(s event.Stream, at time.Time, chunk []byte) error {
		if s != last {
			fmt.Fprintf(&b, "<%s>", s)
		}
		last = s
		b.Write(chunk)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestLogsAreReadInOrder: whenever a reader looks, it gets what was written
// since it last did, in the order in which it was written.
func TestLogsAreReadInOrder(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		d, err := record.Create(root, record.NewID(time.Now()))
		if err != nil {
			rt.Fatal(err)
		}
		var want strings.Builder
		var last event.Stream
		r := d.ReadLogs("j", record.Streams)
		defer r.Close()
		logs, err := d.OpenLogs("j", nil, 1<<20, func(event.Stream, []byte) {})
		if err != nil {
			rt.Fatal(err)
		}
		check := func() {
			if got := readAll(rt, r); got != want.String() {
				rt.Fatalf("read %q, want %q", got, want.String())
			}
			want.Reset()
			last = ""
		}
		for i := range rapid.IntRange(0, 40).Draw(rt, "writes") {
			s := rapid.SampledFrom(record.Streams).Draw(rt, "stream")
			text := fmt.Sprintf("%d\n", i)
			fmt.Fprint(map[event.Stream]*record.Log{event.Host: logs.Host, event.Stdout: logs.Stdout, event.Stderr: logs.Stderr}[s], text)
			if s != last {
				fmt.Fprintf(&want, "<%s>", s)
			}
			last = s
			want.WriteString(text)
			if rapid.Float64().Draw(rt, "look") < 0.2 {
				check()
			}
		}
		logs.Close(func(event.Stream, int64) {})
		check()
	})
}

// TestLogsWithoutTimes are read one after the other, and only those that were
// asked for.
func TestLogsWithoutTimes(t *testing.T) {
	d := create(t)
	dir := filepath.Join(d.Path, "jobs", "j")
	os.MkdirAll(dir, 0o755)
	for _, s := range record.Streams {
		os.WriteFile(filepath.Join(dir, string(s)+".log"), []byte(s), 0o644)
	}
	r := d.ReadLogs("j", []event.Stream{event.Stdout, event.Host})
	defer r.Close()
	if got, want := readAll(t, r), "<host>host<stdout>stdout"; got != want {
		t.Errorf("read %q, want %q", got, want)
	}
	// Marks that lie are of no use and do no harm.
	os.WriteFile(filepath.Join(dir, "log.times"), []byte("1 stdout 999\nx stderr 1\n2 stderr -5\n3 nolog 1\n4 stderr 2\n5 stderr 1\n6 host"), 0o644)
	all := d.ReadLogs("j", record.Streams)
	defer all.Close()
	got := readAll(t, all)
	if strings.Count(got, "host")+strings.Count(got, "stdout")+strings.Count(got, "stderr") != 6 {
		t.Errorf("with marks that lie: %q", got)
	}
	none := d.ReadLogs("other", record.Streams)
	if got := readAll(t, none); got != "" {
		t.Errorf("logs that are not there: %q", got)
	}
}

// TestFewMarks: marks cost next to nothing, however much is written.
func TestFewMarks(t *testing.T) {
	d := create(t)
	logs, err := d.OpenLogs("j", nil, 1<<30, func(event.Stream, []byte) {})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for range 20_000 {
		fmt.Fprintln(logs.Stdout, "out")
		fmt.Fprintln(logs.Stderr, "err")
	}
	logs.Close(func(event.Stream, int64) {})
	b, err := os.ReadFile(filepath.Join(d.Path, "jobs/j/log.times"))
	if err != nil {
		t.Fatal(err)
	}
	most := 1000 + int(time.Since(begun).Seconds()*110) + 3
	if n := bytes.Count(b, []byte("\n")); n < 1000 || n > most {
		t.Errorf("%d marks, want 1000 to %d", n, most)
	}
}

// TestTail gives each event once, however the journal grows.
func TestTail(t *testing.T) {
	d := create(t)
	j, _ := open(t, d)
	tail := d.Tail()
	defer tail.Close()
	var seqs []int64
	next := func() {
		if err := tail.Next(func(e event.Event) error { seqs = append(seqs, e.Seq); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if err := j.Append(event.Event{JournalOpened: &event.JournalOpened{SchemaVersion: event.SchemaVersion, RunID: "r"}}, event.Later); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			next()
			next()
		}
	}
	f, err := os.OpenFile(filepath.Join(d.Path, "events.jsonl"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString(`{"seq":7,`)
	next()
	f.WriteString("\"interrupted\":{\"reason\":\"r\"}}\n")
	next()
	if want := []int64{1, 2, 3, 4, 5, 6, 7}; !slices.Equal(seqs, want) {
		t.Errorf("events %v, want %v", seqs, want)
	}
	f.WriteString("{\"seq\":9}\n")
	err = tail.Next(func(event.Event) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "events.jsonl:8: not the next event") {
		t.Errorf("a gap gives %v", err)
	}
}
