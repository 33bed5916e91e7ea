package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// Streams are a job's logs, in the order in which they are read where their
// times are not known.
var Streams = []event.Stream{event.Host, event.Stdout, event.Stderr}

// Tail reads the journal of a run that may go on, piece by piece.
type Tail struct {
	dir  *Dir
	file *os.File
	seq  int64
	at   int64
}

// Tail begins at the first event.
func (d *Dir) Tail() *Tail { return &Tail{dir: d} }

// Next gives the events that were written since the last call.
func (t *Tail) Next(each func(event.Event) error) error {
	if t.file == nil {
		f, err := os.Open(t.dir.file("events.jsonl"))
		if err != nil {
			return fmt.Errorf("read run %s: %w", t.dir.ID, err)
		}
		t.file = f
	}
	lines := bufio.NewReaderSize(io.NewSectionReader(t.file, t.at, 1<<62), 64<<10)
	for {
		line, err := readLine(lines)
		if err == io.EOF {
			return nil
		}
		if err == nil && t.seq == 0 {
			err = checkFirst(line)
		}
		var e event.Event
		if err == nil {
			e, err = decodeEvent(line, t.seq+1)
		}
		if err != nil {
			return fmt.Errorf("read run %s: events.jsonl:%d: %w", t.dir.ID, t.seq+1, err)
		}
		t.seq++
		t.at += int64(len(line)) + 1
		if err := each(e); err != nil {
			return err
		}
	}
}

// Close closes the file.
func (t *Tail) Close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}

// LogReader reads the logs of a job, that may go on, in the order in which
// they were written.
type LogReader struct {
	dir   *Dir
	job   string
	wants map[event.Stream]bool
	files map[event.Stream]*os.File
	// at is how far each log was read; began is when the part that is read
	// now was begun to be written, as far as is known.
	at    map[event.Stream]int64
	began map[event.Stream]time.Time
	marks *os.File
	last  []logMark // the last one, or none
	// marked is how far the marks were read, in bytes.
	marked int64
}

// ReadLogs begins at the beginning of those of the job's logs.
func (d *Dir) ReadLogs(job string, streams []event.Stream) *LogReader {
	r := &LogReader{dir: d, job: job, wants: make(map[event.Stream]bool), files: make(map[event.Stream]*os.File),
		at: make(map[event.Stream]int64), began: make(map[event.Stream]time.Time)}
	for _, s := range streams {
		r.wants[s] = true
	}
	return r
}

// SkipAllBut begins at the last n bytes of each log as it is now. It is called
// before Next.
func (r *LogReader) SkipAllBut(n int64) error {
	for s := range r.wants {
		f, err := r.open(r.files[s], string(s)+".log")
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		r.files[s] = f
		info, err := f.Stat()
		if err != nil {
			return err
		}
		r.at[s] = max(0, info.Size()-n)
	}
	return nil
}

// Next gives what was written since the last call: chunks, cut anywhere, and
// when each was written, to a tenth of a second; the zero time where that is
// not known. A chunk is only valid until each returns.
func (r *LogReader) Next(each func(s event.Stream, at time.Time, chunk []byte) error) error {
	// The marks first: what they speak of may only follow them.
	marks, err := r.newMarks()
	if err != nil {
		return err
	}
	// What came last may have gone on up to the first of them.
	marks = append(r.last, marks...)
	r.last = slices.Clone(marks[max(0, len(marks)-1):])
	for i, m := range marks {
		if !r.wants[m.stream] {
			continue
		}
		if err := r.upTo(m.stream, m.offset, each); err != nil {
			return err
		}
		r.began[m.stream] = m.at
		if err := r.upTo(m.stream, nextMark(marks[i+1:], m.stream), each); err != nil {
			return err
		}
	}
	for _, s := range Streams {
		if r.wants[s] {
			if err := r.upTo(s, 1<<62, each); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextMark is where the next part of the stream begins, as far as is known.
func nextMark(marks []logMark, s event.Stream) int64 {
	for _, m := range marks {
		if m.stream == s {
			return m.offset
		}
	}
	return 1 << 62
}

// upTo gives a log from where it was read to, up to an offset or its end.
func (r *LogReader) upTo(s event.Stream, end int64, each func(event.Stream, time.Time, []byte) error) error {
	if r.at[s] >= end {
		return nil
	}
	f, err := r.open(r.files[s], string(s)+".log")
	if f == nil || err != nil {
		return err
	}
	r.files[s] = f
	b := make([]byte, 64<<10)
	for r.at[s] < end {
		n, err := f.ReadAt(b[:min(int64(len(b)), end-r.at[s])], r.at[s])
		if n > 0 {
			r.at[s] += int64(n)
			if err := each(s, r.began[s], b[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s of job %s: %w", s, r.job, err)
		}
	}
	return nil
}

// open opens a file of the job; nil where there is none yet.
func (r *LogReader) open(f *os.File, name string) (*os.File, error) {
	if f != nil {
		return f, nil
	}
	f, err := os.Open(r.dir.file("jobs", r.job, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// newMarks are the marks that were made since the last call.
func (r *LogReader) newMarks() ([]logMark, error) {
	f, err := r.open(r.marks, timesFile)
	if f == nil || err != nil {
		return nil, err
	}
	r.marks = f
	b, err := io.ReadAll(io.NewSectionReader(f, r.marked, 1<<62))
	if err != nil {
		return nil, fmt.Errorf("read %s of job %s: %w", timesFile, r.job, err)
	}
	b = b[:bytes.LastIndexByte(b, '\n')+1]
	r.marked += int64(len(b))
	var marks []logMark
	for line := range bytes.Lines(b) {
		if m, ok := parseMark(string(line)); ok {
			marks = append(marks, m)
		}
	}
	return marks, nil
}

// Close closes the files.
func (r *LogReader) Close() error {
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Close())
	}
	if r.marks != nil {
		errs = append(errs, r.marks.Close())
	}
	return errors.Join(errs...)
}
