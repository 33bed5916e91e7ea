package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

const clientsLane = `package lanes

lanes: a: {
	title:       "check-a"
	description: "Jobs with output of all kinds."
	jobs: {
		"one-line": {description: "A line of 100 MB.", host: true, command: ["sh", "-c", "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo after"]}
		"binary": {description: "Bytes of all kinds.", host: true, command: ["cat", "binary"]}
		"no-end": {description: "No end of line.", host: true, command: ["sh", "-c", "printf 'no end'; printf 'nor here' >&2"]}
		"million": {description: "A million lines.", host: true, command: ["seq", "1000000"]}
	}
}
`

// newClients is a yard of these jobs, and the hash of what each prints.
func newClients(t *testing.T) (y *killYard, sums map[string][32]byte) {
	var binary bytes.Buffer
	for i := range 1 << 20 { // every byte, and no text
		binary.WriteByte(byte(i*i>>4 ^ i))
	}
	y = emptyYard(t, map[string]string{"lanes/lanes.cue": killLanes, "lanes/a.cue": clientsLane, "binary": binary.String()})
	var million bytes.Buffer
	for i := range 1_000_000 {
		fmt.Fprintln(&million, i+1)
	}
	line := append(bytes.Repeat([]byte("x"), 100_000_000), "\nafter\n"...)
	return y, map[string][32]byte{"one-line": sha256.Sum256(line), "binary": sha256.Sum256(binary.Bytes()),
		"no-end": sha256.Sum256([]byte("no end")), "million": sha256.Sum256(million.Bytes())}
}

// client carries out a run with that reader of its stdout and stderr, and wants
// every byte in the logs, a whole record, exit code 0 and little memory.
func (y *killYard) client(id string, sums map[string][32]byte, mode string, stdout, stderr *os.File) {
	y.t.Helper()
	cmd := y.command(append(y.exec(id, false), "--output", mode)...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		y.t.Fatal(err)
	}
	most := 0
	watching := make(chan struct{})
	over := make(chan struct{})
	go func() {
		defer close(watching)
		for {
			most = max(most, statusOf(cmd.Process.Pid)["VmHWM"])
			select {
			case <-time.After(10 * time.Millisecond):
			case <-over:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(over)
	<-watching
	if err != nil {
		y.t.Errorf("%s: %v", id, err)
	}
	y.t.Logf("%s: %s, %d MiB", id, time.Since(began).Round(time.Millisecond), most>>10)
	if most>>10 > 150 && !raceDetector {
		y.t.Errorf("%s: took %d MiB of memory", id, most>>10)
	}
	for job, want := range sums {
		if got := y.read(id, job, "stdout.log"); sha256.Sum256([]byte(got)) != want {
			y.t.Errorf("%s: job %s: a log of %d bytes is not what was printed", id, job, len(got))
		}
	}
	r := y.record(id)
	if r.Verdict != event.Passed || len(r.Jobs) != len(sums) || r.ExitCode == nil || *r.ExitCode != 0 {
		y.t.Errorf("%s: %+v", id, r)
	}
	for _, j := range r.Jobs {
		if j.Verdict != event.Passed || len(j.Truncated) > 0 {
			y.t.Errorf("%s: %+v", id, j)
		}
	}
}

// Whoever reads what a run prints, and however: it has all in its logs.
func TestBadClients(t *testing.T) {
	y, sums := newClients(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a file", func(t *testing.T) {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		y.client("file", sums, "jsonl", out, null)
		if _, err := out.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		checkJSONL(t, out)
	})
	t.Run("full", func(t *testing.T) { y.client("full", sums, "jsonl", full, full) })
	t.Run("full, for a person", func(t *testing.T) { y.client("full-human", sums, "human", full, full) })
	for _, mode := range []string{"jsonl", "human"} {
		t.Run("gone, "+mode, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			y.client("gone-"+mode, sums, mode, w, w)
			w.Close()
		})
		t.Run("slow, "+mode, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				time.Sleep(2 * time.Second)
				io.Copy(io.Discard, r)
			}()
			y.client("slow-"+mode, sums, mode, w, w)
			w.Close()
		})
	}
}

// statusOf are the numbers of a process's status, memory in KiB. That which a
// process's usage tells after its end is of the one that started it, too.
func statusOf(pid int) map[string]int {
	numbers := map[string]int{}
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may have ended
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		if fields := strings.Fields(value); len(fields) > 0 {
			numbers[name], _ = strconv.Atoi(fields[0])
		}
	}
	return numbers
}

// checkJSONL wants one JSON value a line, none of them long, and of the jobs'
// lines either all or a word of what was missed.
func checkJSONL(t *testing.T, f *os.File) {
	t.Helper()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<10)
	got, missed := map[string]int64{}, map[string]int64{}
	last := ""
	for lines.Scan() {
		var e event.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %.200s", err, lines.Text())
		}
		if l := e.Log; l != nil {
			got[l.Job+" "+string(l.Stream)] += int64(len(l.Line))
			missed[l.Job] += l.Missed
		}
		last = lines.Text()
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(last, "run_finished") {
		t.Errorf("the last line is %.200s", last)
	}
	if n := got["no-end stdout"] + got["no-end stderr"] + missed["no-end"]; n != 6+8 {
		t.Errorf("of lines without an end, %d bytes are accounted for", n)
	}
	// Ends of lines are not shown.
	if n := got["million stdout"] + missed["million"]; n < 5_888_896 || n > 6_888_896 {
		t.Errorf("of a million lines, %d bytes are accounted for", n)
	}
	if n := got["one-line stdout"] + missed["one-line"]; n < 100_000_005 || n > 100_000_007 {
		t.Errorf("of a line of 100 MB, %d bytes are accounted for", n)
	}
}

// raceDetector says that the tests run under it, which takes memory.
var raceDetector bool
