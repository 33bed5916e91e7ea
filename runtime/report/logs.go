package report

import (
	"io"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// Logs writes recorded logs line by line, as [Human] shows them while they are
// written. Nothing that a guest wrote can move the cursor or hide.
type Logs struct {
	w     io.Writer
	style LogStyle
	lines lines
}

// LogStyle says what stands around the lines of logs.
type LogStyle struct {
	// Jobs puts a line's job before it, and Streams the bar of its stream.
	Jobs, Streams bool
	// Colour keeps the colours of lines.
	Colour bool
}

// NewLogs writes to w.
func NewLogs(w io.Writer, style LogStyle) *Logs {
	l := &Logs{w: w, style: style}
	l.lines = lines{open: map[log][]byte{}, each: l.line, colour: style.Colour}
	return l
}

func (l *Logs) line(job string, s event.Stream, line string) error {
	if l.style.Streams {
		line = bar(s) + " " + line
	}
	if l.style.Jobs {
		line = job + " " + line
	}
	_, err := io.WriteString(l.w, line+"\n")
	return err
}

// Output shows the lines that a chunk ends.
func (l *Logs) Output(job string, s event.Stream, p []byte) error { return l.lines.write(job, s, p) }

// Flush shows the lines of a job that have no end.
func (l *Logs) Flush(job string) error {
	return l.lines.flush(func(k log) bool { return k.job == job })
}

// lastBytes is how much of a log's end is looked at for its last lines.
const lastBytes = 64 << 10

// LastLines are the last lines of those logs of a job together, harmless: at
// most n, of as many as a bounded part of each log's end holds.
func LastLines(d *record.Dir, job string, streams []event.Stream, n int) ([]string, error) {
	var last []string
	all := lines{open: map[log][]byte{}, each: func(_ string, _ event.Stream, line string) error {
		if last = append(last, line); len(last) > 2*n {
			last = append(last[:0], last[len(last)-n:]...)
		}
		return nil
	}}
	r := d.ReadLogs(job, streams)
	defer r.Close()
	if err := r.SkipAllBut(lastBytes); err != nil {
		return nil, err
	}
	err := r.Next(func(s event.Stream, _ time.Time, chunk []byte) error { return all.write(job, s, chunk) })
	if err != nil {
		return nil, err
	}
	if err := all.flush(everyLog); err != nil {
		return nil, err
	}
	return last[max(0, len(last)-n):], nil
}
