package report

import (
	"io"

	"github.com/sledtools/pikaci/runtime/event"
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
