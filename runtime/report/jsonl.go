package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// JSONL writes every event as one line of JSON, and every line of a log as a
// log event with seq 0.
type JSONL struct {
	encoder *json.Encoder
	lines   lines
}

// NewJSONL writes to w.
func NewJSONL(w io.Writer) *JSONL {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	j := &JSONL{encoder: e}
	j.lines = lines{open: map[log][]byte{}, each: func(job string, s event.Stream, line string) error {
		return j.log(event.Log{Job: job, Stream: s, Line: line})
	}}
	return j
}

func (j *JSONL) log(l event.Log) error {
	return j.encoder.Encode(event.Event{Time: time.Now().UTC(), Log: &l})
}

// Event writes the event.
func (j *JSONL) Event(e event.Event) error {
	if err := j.lines.flushAt(e); err != nil {
		return err
	}
	return j.encoder.Encode(e)
}

// Output writes the lines that a chunk ends.
func (j *JSONL) Output(job string, s event.Stream, p []byte) error { return j.lines.write(job, s, p) }

// Missed writes a log event without a line.
func (j *JSONL) Missed(job string, s event.Stream, n int64) error {
	if err := j.lines.flush(func(k log) bool { return k == log{job, s} }); err != nil {
		return err
	}
	return j.log(event.Log{Job: job, Stream: s, Missed: n})
}

// Close writes the lines that have no end.
func (j *JSONL) Close() error { return j.lines.flush(everyLog) }
