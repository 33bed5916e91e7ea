package report

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sledtools/pikaci/runtime/event"
)

// lineKey is one log.
type lineKey struct {
	job    string
	stream event.Stream
}

// lines puts the chunks of all logs together to lines.
type lines struct {
	open map[lineKey][]byte
	each func(job string, s event.Stream, line string) error
}

// maxLine is the longest line that is shown in one piece, in bytes.
const maxLine = 8 << 10

func (l *lines) write(job string, s event.Stream, p []byte) error {
	key := lineKey{job, s}
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		room := maxLine - len(l.open[key])
		if len(line) > room {
			line, rest, whole = line[:room], p[room:], true
		}
		if !whole {
			l.open[key] = append(l.open[key], line...)
			return nil
		}
		if err := l.each(job, s, clean(append(l.open[key], line...))); err != nil {
			return err
		}
		delete(l.open, key)
		p = rest
	}
	return nil
}

// flush shows the lines of a job that have no end yet.
func (l *lines) flush(job string) error {
	for _, s := range []event.Stream{event.Stdout, event.Stderr, event.Host} {
		key := lineKey{job, s}
		if len(l.open[key]) == 0 {
			continue
		}
		if err := l.each(job, s, clean(l.open[key])); err != nil {
			return err
		}
		delete(l.open, key)
	}
	return nil
}

// clean makes a guest's line safe for a terminal: no control characters but
// tab, hence no escape sequences, and valid UTF-8.
func clean(line []byte) string {
	if i := bytes.LastIndexByte(bytes.TrimRight(line, "\r"), '\r'); i >= 0 {
		line = line[i+1:] // a progress bar that draws over itself
	}
	var b strings.Builder
	for len(line) > 0 {
		if n := escape(line); n > 0 {
			line = line[n:]
			continue
		}
		r, n := utf8.DecodeRune(line)
		line = line[n:]
		if r == '\t' || !unicode.IsControl(r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escape is the length of the escape sequence at the beginning of line.
func escape(line []byte) int {
	if line[0] != 0x1b {
		return 0
	}
	if len(line) < 2 || line[1] != '[' {
		return 1
	}
	for i := 2; i < len(line); i++ {
		if line[i] >= '@' && line[i] <= '~' {
			return i + 1
		}
	}
	return len(line)
}
