package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// shown is what watch was told, by stream.
type shown struct {
	mu  sync.Mutex
	all map[event.Stream]string
}

func (s *shown) watch(stream event.Stream, p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[event.Stream]string{}
	}
	s.all[stream] += string(p)
}

// openLogs opens the logs of job j; done closes them and says what was cut off.
func openLogs(t *testing.T, d *record.Dir, limit int64, secrets ...string) (logs *record.JobLogs, s *shown, done func() (string, error)) {
	t.Helper()
	s = new(shown)
	logs, err := d.OpenLogs("j", secrets, limit, s.watch)
	if err != nil {
		t.Fatal(err)
	}
	return logs, s, func() (string, error) {
		var cut []string
		err := logs.Close(func(stream event.Stream, n int64) { cut = append(cut, fmt.Sprint(stream, " ", n)) })
		return strings.Join(cut, ", "), err
	}
}

func logFile(t *testing.T, d *record.Dir, s event.Stream) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(d.Path, "jobs/j", string(s)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLogs(t *testing.T) {
	d := create(t)
	logs, s, done := openLogs(t, d, 1000, "hunter2")
	fmt.Fprint(logs.Host, "host\n")
	fmt.Fprint(logs.Stdout, "pw: hun")
	fmt.Fprint(logs.Stdout, "ter2\nand hunt")
	fmt.Fprint(logs.Stderr, "\x00\xff\n")
	if got := s.all[event.Stdout]; got != "pw: ***\nand " {
		t.Errorf("shown at once: %q", got)
	}
	if cut, err := done(); cut != "" || err != nil {
		t.Errorf("cut %q: %v", cut, err)
	}
	for stream, want := range map[event.Stream]string{event.Host: "host\n", event.Stdout: "pw: ***\nand hunt", event.Stderr: "\x00\xff\n"} {
		if got := logFile(t, d, stream); got != want || s.all[stream] != want {
			t.Errorf("%s: file %q, shown %q, want %q", stream, got, s.all[stream], want)
		}
	}
}

func TestLogCeiling(t *testing.T) {
	d := create(t)
	logs, s, done := openLogs(t, d, 10)
	for _, chunk := range []string{"1234567", "890", "over", "more\n"} {
		if n, err := fmt.Fprint(logs.Stdout, chunk); n != len(chunk) || err != nil {
			t.Errorf("wrote %d of %q: %v", n, chunk, err)
		}
	}
	fmt.Fprint(logs.Stderr, "1234567890")
	fmt.Fprint(logs.Host, "12345678901")
	if cut, err := done(); cut != "host 1, stdout 9" || err != nil {
		t.Errorf("cut %q: %v", cut, err)
	}
	for _, stream := range []event.Stream{event.Host, event.Stdout, event.Stderr} {
		if got := logFile(t, d, stream); got != "1234567890" || s.all[stream] != got {
			t.Errorf("%s: file %q, shown %q", stream, got, s.all[stream])
		}
	}
}

// TestLogCeilingCountsWhatIsKept: a secret is cut as its stars, never so that
// a part of it stays.
func TestLogCeilingCountsWhatIsKept(t *testing.T) {
	d := create(t)
	logs, _, done := openLogs(t, d, 6, "correct horse battery")
	fmt.Fprint(logs.Stdout, "pw: correct horse battery")
	if cut, err := done(); cut != "stdout 1" || err != nil || logFile(t, d, event.Stdout) != "pw: **" {
		t.Errorf("cut %q, kept %q: %v", cut, logFile(t, d, event.Stdout), err)
	}
}

func TestLogsOfManyWriters(t *testing.T) {
	d := create(t)
	logs, s, done := openLogs(t, d, 1<<20, "s3cret")
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 100 {
				fmt.Fprintf(logs.Stdout, "<%d s3cret %d>\n", g, i)
				fmt.Fprintf(logs.Stderr, "<%d %d>\n", g, i)
			}
		})
	}
	all.Wait()
	if cut, err := done(); cut != "" || err != nil {
		t.Errorf("cut %q: %v", cut, err)
	}
	for _, stream := range []event.Stream{event.Stdout, event.Stderr} {
		lines := strings.SplitAfter(logFile(t, d, stream), "\n")
		if len(lines) != 801 {
			t.Errorf("%s: %d lines", stream, len(lines))
		}
		for _, line := range lines[:800] {
			if line[0] != '<' || !strings.HasSuffix(line, ">\n") || strings.Contains(line, "s3cret") {
				t.Fatalf("%s: line %q", stream, line)
			}
		}
		if s.all[stream] != logFile(t, d, stream) {
			t.Errorf("%s: shown and kept differ", stream)
		}
	}
}

// TestLogsOnAFullDisk: the job goes on and is shown; the end tells of it.
func TestLogsOnAFullDisk(t *testing.T) {
	root := smallDisk(t, 256<<10)
	d := createIn(t, root)
	logs, s, done := openLogs(t, d, 1<<20)
	fmt.Fprint(logs.Stderr, "before\n")
	undo := fill(t, root)
	chunk := bytes.Repeat([]byte("x"), 16<<10)
	if n, err := logs.Stdout.Write(chunk); n != len(chunk) || err != nil {
		t.Errorf("wrote %d: %v", n, err)
	}
	undo()
	fmt.Fprint(logs.Stdout, "after")
	fmt.Fprint(logs.Stderr, "after\n")
	_, err := done()
	if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "stdout.log: ") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(logFile(t, d, event.Stdout), "after") {
		t.Error("the log has a hole")
	}
	if logFile(t, d, event.Stderr) != "before\nafter\n" || !strings.HasSuffix(s.all[event.Stdout], "xafter") {
		t.Error("the other log, or what is shown, suffered from it")
	}
}

// A log that can't be made costs no job; its end says so.
func TestLogsThatCantBeOpened(t *testing.T) {
	d := create(t)
	if err := os.MkdirAll(filepath.Join(d.Path, "jobs/j/stdout.log"), 0o755); err != nil {
		t.Fatal(err)
	}
	logs, s, done := openLogs(t, d, 10)
	fmt.Fprint(logs.Stdout, "out")
	fmt.Fprint(logs.Stderr, "err")
	if _, err := done(); err == nil || !strings.Contains(err.Error(), "stdout.log") {
		t.Errorf("closed: %v", err)
	}
	if s.all[event.Stdout] != "out" || logFile(t, d, event.Stderr) != "err" {
		t.Errorf("shown %q", s.all)
	}
}

// A log that nobody wrote to is no file; one of an earlier attempt is written on.
func TestLogsAreMadeWithTheirFirstByte(t *testing.T) {
	d := create(t)
	for round, want := range []string{"1", "11"} {
		logs, _, done := openLogs(t, d, 100)
		if got := logs.Stdout.Mark(); got != int64(round) {
			t.Errorf("before a byte it is %d long", got)
		}
		fmt.Fprint(logs.Stdout, "1")
		if _, err := done(); err != nil {
			t.Fatal(err)
		}
		if got := logFile(t, d, event.Stdout); got != want {
			t.Errorf("got %q", got)
		}
	}
	files, err := filepath.Glob(filepath.Join(d.Path, "jobs/j/*"))
	if err != nil || len(files) != 2 { // with log.times
		t.Errorf("%q, %v", files, err)
	}
}

// TestWriteAfterClose: a run that is abandoned closes logs that workers still
// write to.
func TestWriteAfterClose(t *testing.T) {
	d := create(t)
	logs, s, done := openLogs(t, d, 100, "abc")
	fmt.Fprint(logs.Stdout, "before")
	if _, err := done(); err != nil {
		t.Fatal(err)
	}
	if n, err := fmt.Fprint(logs.Stdout, "after"); n != 5 || err != nil {
		t.Errorf("wrote %d: %v", n, err)
	}
	if s.all[event.Stdout] != "before" || logFile(t, d, event.Stdout) != "before" {
		t.Errorf("shown %q", s.all[event.Stdout])
	}
	if _, err := done(); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

func TestUnshown(t *testing.T) {
	d := create(t)
	logs, s, done := openLogs(t, d, 100)
	fmt.Fprint(logs.Host, "shown ")
	fmt.Fprint(logs.Host.Unshown(), "kept ")
	fmt.Fprint(logs.Host, "shown again")
	if _, err := done(); err != nil {
		t.Fatal(err)
	}
	if got := s.all[event.Host]; got != "shown shown again" || logFile(t, d, event.Host) != "shown kept shown again" {
		t.Errorf("shown %q, kept %q", got, logFile(t, d, event.Host))
	}
}
