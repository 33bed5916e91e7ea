package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// Rules for what a person sees while a run goes on:
//
//   - one line for each change, in lower case, no period;
//   - a line of a job's log begins with the job's id and a bar: │ for stdout,
//     ┊ for stderr, · for what the host did for the job;
//   - nothing that a guest wrote can move the cursor; its colours are kept where
//     Paint says so, and end with their line; of our own words verdicts have one;
//   - the table at the end stands alone on stdout, all else goes to stderr.

// Human writes lines for a person.
type Human struct {
	w     io.Writer
	paint Paint
	err   error
	lines lines
}

// NewHuman writes to w.
func NewHuman(w io.Writer, p Paint) *Human {
	h := &Human{w: w, paint: p}
	h.lines = lines{open: map[log][]byte{}, each: h.logLine, colour: bool(p)}
	return h
}

// say writes one line, whatever the values hold.
func (h *Human) say(format string, args ...any) { h.print(oneLine(fmt.Sprintf(format, args...))) }

func (h *Human) print(line string) {
	if h.err == nil {
		_, h.err = io.WriteString(h.w, line+"\n")
	}
}

func (h *Human) logLine(job string, s event.Stream, line string) error {
	h.print(job + " " + bar(s) + " " + line)
	return h.err
}

func bar(s event.Stream) string {
	switch s {
	case event.Stdout:
		return "│"
	case event.Stderr:
		return "┊"
	}
	return "·"
}

// Output shows the lines that a chunk ends.
func (h *Human) Output(job string, s event.Stream, p []byte) error { return h.lines.write(job, s, p) }

// Missed says in the log's place how much of it is not shown.
func (h *Human) Missed(job string, s event.Stream, n int64) error {
	if err := h.lines.flush(func(k log) bool { return k == log{job, s} }); err != nil {
		return err
	}
	return h.logLine(job, s, fmt.Sprintf("… %s not shown, see %s.log", size(n), s))
}

// Close shows the lines that have no end.
func (h *Human) Close() error {
	if h.err != nil {
		return h.err
	}
	return h.lines.flush(everyLog)
}

// Event shows the events that a person waits for.
func (h *Human) Event(e event.Event) error {
	if err := h.lines.flushAt(e); err != nil {
		return err
	}
	switch {
	case e.RunStarted != nil:
		s := e.RunStarted
		what := ""
		if s.PrepareOnly {
			what = " to prepare for"
		}
		h.say("run: %s, %s%s, %s", count(len(s.Lanes), "lane"), count(len(s.Jobs), "job"), what, atATime(s))
		h.say("record: %s", s.RunDir)
	case e.Resumed != nil:
		h.say("resumed: %s had ended", count(e.Resumed.Finished, "node"))
	case e.PhaseStarted != nil && e.PhaseStarted.Phase == event.HostSetup:
		h.say("host setup: %s", e.PhaseStarted.Detail)
	case e.PhaseStarted != nil && e.PhaseStarted.Phase == event.Build:
		h.say("build: %s", e.PhaseStarted.Node)
	case e.SnapshotTaken != nil:
		h.say("snapshot: %s, %s, %.19s", count(e.SnapshotTaken.Files, "file"), size(e.SnapshotTaken.Bytes), e.SnapshotTaken.ContentHash)
	case e.PayloadReady != nil:
		h.say("built: %s is %s", e.PayloadReady.OutputName, e.PayloadReady.StorePath)
	case e.PhaseStarted != nil && e.PhaseStarted.Phase == event.Command:
		h.say("start: %s", e.PhaseStarted.Job)
	case e.CacheWaited != nil:
		h.say("waiting: %s for what lane %s keeps, which %s has", e.CacheWaited.Job, e.CacheWaited.Lane, e.CacheWaited.Holder)
	case e.GroupWaited != nil:
		h.say("waiting: lane %s for its concurrency group, which %s has", e.GroupWaited.Lane, e.GroupWaited.Holder)
	case e.Heartbeat != nil:
		h.say("%s", beat(*e.Heartbeat))
	case e.NodeRetried != nil:
		h.say("again: %s: attempt %d %s", e.NodeRetried.Node, e.NodeRetried.Attempt, why(e.NodeRetried.Outcome))
	case e.Artifact != nil && e.Artifact.Refused != "":
		h.say("refused: artifact %q of %s: %s", e.Artifact.Path, e.Artifact.Job, e.Artifact.Refused)
	case e.LogTruncated != nil:
		h.say("cut off: %s of %s: %s over the runner's ceiling", e.LogTruncated.Stream, e.LogTruncated.Job, size(e.LogTruncated.Bytes))
	case e.Interrupted != nil:
		h.say("stopping: %s", e.Interrupted.Reason)
	case e.LeaseKept != nil:
		h.say("kept: %s of job %s, until %s", e.LeaseKept.Name, e.LeaseKept.Job, e.LeaseKept.Until.Format(keptLayout))
	case e.LeaseLeft != nil:
		h.say("left behind: %s: %s", e.LeaseLeft.Name, e.LeaseLeft.Error)
		h.say("remove it with: %s", e.LeaseLeft.Command)
	case e.JobFinished != nil:
		f := e.JobFinished
		h.print(h.paint.Verdict(f.Verdict, string(f.Verdict)) + ": " +
			oneLine(fmt.Sprintf("%s (%s)%s", f.Job, seconds(f.DurationMS), colon(why(f.Outcome)))))
	}
	return h.err
}

// beat is a heartbeat in one line.
func beat(b event.Heartbeat) string {
	parts := []string{}
	for _, r := range b.Running {
		name := r.Job
		switch {
		case r.Node == "":
			name = strings.ReplaceAll(string(r.Phase), "_", " ")
		case r.Job == "":
			name = r.Node
		}
		part := name + " for " + clock(r.ElapsedMS)
		if r.Bytes > 0 {
			part += " (" + copied(r) + ")"
		}
		parts = append(parts, part)
	}
	running := strings.Join(parts, ", ")
	if running == "" {
		running = "nothing"
	}
	s := fmt.Sprintf("after %s: running: %s", clock(b.ElapsedMS), running)
	if n := len(b.Waiting); n > 0 {
		s += fmt.Sprintf("; %s waiting", count(n, "job"))
	}
	return s
}

// why is an outcome's failure, exit code or signal, and reason, as far as they
// are there.
func why(o event.Outcome) string {
	var parts []string
	if o.Failure != "" {
		parts = append(parts, string(o.Failure))
	}
	switch {
	case o.Signal != "":
		parts = append(parts, "killed by "+o.Signal)
	case o.ExitCode != nil && *o.ExitCode != 0:
		parts = append(parts, fmt.Sprintf("exit code %d", *o.ExitCode))
	}
	if o.Reason != "" {
		parts = append(parts, oneLine(o.Reason))
	}
	return strings.Join(parts, ": ")
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Seconds is a duration in milliseconds as all reports show it.
func Seconds(ms int64) string { return seconds(ms) }

func seconds(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	if d < 10*time.Second {
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// atATime says how much of a run goes on at one time.
func atATime(s *event.RunStarted) string {
	if s.CPUs == 0 {
		return fmt.Sprintf("%d at a time", s.Parallel)
	}
	of := fmt.Sprintf("on %s and %.1f GiB", count(s.CPUs, "processor"), float64(s.MemoryMiB)/1024)
	if s.Parallel > 0 {
		of += fmt.Sprintf(", at most %d at a time", s.Parallel)
	}
	return of
}
