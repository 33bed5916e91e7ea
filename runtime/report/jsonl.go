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
	return &JSONL{encoder: e, lines: lines{open: map[lineKey][]byte{},
		each: func(job string, s event.Stream, line string) error {
			return e.Encode(event.Event{Time: time.Now().UTC(), Log: &event.Log{Job: job, Stream: s, Line: line}})
		}}}
}

// Event writes the event.
func (j *JSONL) Event(e event.Event) error {
	if e.JobFinished != nil {
		if err := j.lines.flush(e.JobFinished.Job); err != nil {
			return err
		}
	}
	return j.encoder.Encode(e)
}

// Output writes the lines that a chunk ends.
func (j *JSONL) Output(job string, s event.Stream, p []byte) error { return j.lines.write(job, s, p) }

// Close does nothing: the last event was the end.
func (j *JSONL) Close() error { return nil }

// Silent reads nothing.
type Silent struct{}

// Event does nothing.
func (Silent) Event(event.Event) error { return nil }

// Output does nothing.
func (Silent) Output(string, event.Stream, []byte) error { return nil }

// Close does nothing.
func (Silent) Close() error { return nil }
