package html

import (
	"bytes"
	"time"
	"unicode/utf8"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// maxLine is the longest line that stands in one piece, in bytes: the rest of
// it is the next line.
const maxLine = 8 << 10

// splitter puts the chunks of a job's logs together to lines.
type splitter struct {
	open map[event.Stream][]byte
	each func(s event.Stream, at time.Time, line []byte)
}

func newSplitter(each func(s event.Stream, at time.Time, line []byte)) *splitter {
	return &splitter{open: make(map[event.Stream][]byte), each: each}
}

func (l *splitter) write(s event.Stream, at time.Time, p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		line, rest, whole := p, p[len(p):], end >= 0
		if whole {
			line, rest = p[:end], p[end+1:]
		}
		held := l.open[s]
		if room := maxLine - len(held); len(line) > room {
			end := runeStart(line, room)
			line, rest, whole = p[:end], p[end:], true
		}
		if !whole {
			l.open[s] = append(held, line...)
			return
		}
		if len(held) > 0 {
			line = append(held, line...)
			l.open[s] = held[:0]
		}
		l.each(s, at, line)
		p = rest
	}
}

// runeStart is at, or the place a little before where a character begins that
// would be cut in two there.
func runeStart(line []byte, at int) int {
	for i := at; i > max(0, at-utf8.UTFMax); i-- {
		if utf8.RuneStart(line[i]) {
			return i
		}
	}
	return at
}

// flush gives the lines that have no end.
func (l *splitter) flush(at time.Time) {
	for _, s := range record.Streams {
		if len(l.open[s]) > 0 {
			l.each(s, at, l.open[s])
			l.open[s] = nil
		}
	}
}

// What of the jobs that failed is seen first: of so many, so many lines, each
// of so many bytes.
const (
	maxLast      = 50
	maxLastLines = 20
	maxLastLine  = 2000
	lastBytes    = 64 << 10
)

// endOf are the last lines of what host_setup commands printed.
func endOf(b []byte) []lineData {
	var last []lineData
	lines := newSplitter(func(s event.Stream, _ time.Time, line []byte) { last = keepLast(last, s, line) })
	lines.write(event.Host, time.Time{}, b)
	lines.flush(time.Time{})
	return last
}

// keepLast adds a line to the last ones.
func keepLast(list []lineData, s event.Stream, line []byte) []lineData {
	if len(list) == maxLastLines {
		list = append(list[:0], list[1:]...)
	}
	return append(list, lineData{s, string(valid(line[:min(len(line), maxLastLine)]))})
}

// lastLines are the last lines of what a job's command printed; of what the
// host did for it where that is all, or where that failed.
func lastLines(r Run, j *record.JobRecord) ([]lineData, error) {
	var command, all []lineData
	lines := newSplitter(func(s event.Stream, _ time.Time, line []byte) {
		all = keepLast(all, s, line)
		if s != event.Host {
			command = keepLast(command, s, line)
		}
	})
	err := r.Logs(j.ID, lastBytes, func(s event.Stream, at time.Time, chunk []byte) error {
		lines.write(s, at, chunk)
		return nil
	})
	lines.flush(time.Time{})
	if len(command) == 0 || j.Failure == event.Prepare || j.Failure == event.Infra {
		return all, err
	}
	return command, err
}

// valid is a line as valid UTF-8: itself, mostly, where [bytes.ToValidUTF8]
// would copy it.
func valid(line []byte) []byte {
	if utf8.Valid(line) {
		return line
	}
	return bytes.ToValidUTF8(line, []byte("\uFFFD"))
}
