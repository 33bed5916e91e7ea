package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/sledtools/pikaci/runtime/event"
)

// maxFolded is how much of a job's logs is kept to be shown at its end, in
// bytes; the log files have it all.
const maxFolded = 1 << 20

// Folded writes lines for a CI that folds what stands between ::group:: and
// ::endgroup::. The logs of a job stand together behind its end: folded where
// it passed, open where it did not. The CI takes no command from them: they
// stand between ::stop-commands:: and a token that no guest knows.
type Folded struct {
	w     io.Writer
	token string
	said  bytes.Buffer
	human *Human
	lines lines
	kept  map[string]*keptLog
}

// keptLog is the end of a job's logs.
type keptLog struct {
	lines []string
	bytes int
	lost  int
}

// NewFolded writes to w. The token must be one that can't be guessed.
func NewFolded(w io.Writer, token string, p Paint) *Folded {
	f := &Folded{w: w, token: token, kept: map[string]*keptLog{}}
	f.human = NewHuman(&f.said, p)
	f.lines = lines{open: map[log][]byte{}, each: f.logLine}
	return f
}

func (f *Folded) logLine(job string, s event.Stream, line string) error {
	k := f.kept[job]
	if k == nil {
		k = &keptLog{}
		f.kept[job] = k
	}
	line = bar(s) + " " + line
	k.lines = append(k.lines, line)
	for k.bytes += len(line); k.bytes > maxFolded; k.lost++ {
		k.bytes -= len(k.lines[0])
		k.lines = k.lines[1:]
	}
	return nil
}

// Event writes what the event says, and with a job's end its logs.
func (f *Folded) Event(e event.Event) error {
	if err := f.lines.flushAt(e); err != nil {
		return err
	}
	f.human.Event(e) // to memory
	told := disarmed(f.said.String())
	f.said.Reset()
	if e.JobFinished == nil {
		return f.put(told)
	}
	k := f.kept[e.JobFinished.Job]
	delete(f.kept, e.JobFinished.Job)
	if k == nil {
		return f.put(told)
	}
	body := "::stop-commands::" + f.token + "\n"
	if k.lost > 0 {
		body += fmt.Sprintf("… %s before not shown, see the log files\n", count(k.lost, "line"))
	}
	body += strings.Join(k.lines, "\n") + "\n::" + f.token + "::\n"
	if e.JobFinished.Verdict == event.Passed {
		return f.put("::group::" + told + body + "::endgroup::\n")
	}
	return f.put(told + body)
}

// put writes at once, so that nothing comes between.
func (f *Folded) put(s string) error {
	if s == "" {
		return nil
	}
	_, err := io.WriteString(f.w, s)
	return err
}

// disarmed takes away what an older form of commands begins with, anywhere in a
// line: what we say may quote a guest.
func disarmed(s string) string { return strings.ReplaceAll(s, "##[", "## [") }

// Output keeps the lines that a chunk ends.
func (f *Folded) Output(job string, s event.Stream, p []byte) error { return f.lines.write(job, s, p) }

// Missed says in the log's place how much of it is not shown.
func (f *Folded) Missed(job string, s event.Stream, n int64) error {
	if err := f.lines.flush(func(k log) bool { return k == log{job, s} }); err != nil {
		return err
	}
	return f.logLine(job, s, fmt.Sprintf("… %s not shown, see %s.log", size(n), s))
}

// Close has nothing to write: a job's logs are shown at its end.
func (f *Folded) Close() error { return nil }
