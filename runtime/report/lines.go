package report

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sledtools/pikaci/runtime/event"
)

// log names one log.
type log struct {
	job    string
	stream event.Stream
}

func (l log) compare(other log) int {
	return cmp.Or(strings.Compare(l.job, other.job), strings.Compare(string(l.stream), string(other.stream)))
}

// lines puts the chunks of all logs together to lines.
type lines struct {
	open map[log][]byte
	each func(job string, s event.Stream, line string) error
	// colour keeps the colours of lines.
	colour bool
}

// maxLine is the longest line that is shown in one piece, in bytes.
const maxLine = 8 << 10

func (l *lines) write(job string, s event.Stream, p []byte) error {
	key := log{job, s}
	for len(p) > 0 {
		line, rest, whole := bytes.Cut(p, []byte("\n"))
		room := maxLine - len(l.open[key])
		if len(line) > room {
			end := runeStart(line, room)
			line, rest, whole = line[:end], p[end:], true
		}
		if !whole {
			l.open[key] = append(l.open[key], line...)
			return nil
		}
		if err := l.each(job, s, l.clean(append(l.open[key], line...))); err != nil {
			return err
		}
		delete(l.open, key)
		p = rest
	}
	return nil
}

func (l *lines) clean(line []byte) string {
	if l.colour {
		return cleanBut(line, sgr)
	}
	return clean(line)
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

// flush shows the lines that have no end yet: of one job, or of all.
func (l *lines) flush(which func(log) bool) error {
	for _, key := range slices.SortedFunc(maps.Keys(l.open), log.compare) {
		if !which(key) {
			continue
		}
		if len(l.open[key]) > 0 {
			if err := l.each(key.job, key.stream, l.clean(l.open[key])); err != nil {
				return err
			}
		}
		delete(l.open, key)
	}
	return nil
}

// flushAt shows what has no end yet of a job that ends, or at the end of all.
func (l *lines) flushAt(e event.Event) error {
	switch {
	case e.JobFinished != nil:
		return l.flush(func(k log) bool { return k.job == e.JobFinished.Job })
	case e.RunFinished != nil:
		return l.flush(everyLog)
	}
	return nil
}

func everyLog(log) bool { return true }

// oneLine makes a text of ours that may quote others, like an error of many
// lines, one line without tabs.
func oneLine(s string) string {
	var parts []string
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(strings.ReplaceAll(clean([]byte(strings.TrimRight(line, "\r\n"))), "\t", " ")); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// clean makes a guest's line safe for a terminal: no control characters but
// tab, hence no escape sequences, none that turn the direction of what stands
// around them, and valid UTF-8.
func clean(line []byte) string { return cleanBut(line, func([]byte) string { return "" }) }

// reset sets back all colours.
const reset = "\x1b[m"

// cleanBut is clean, with what keep gives in place of each escape sequence.
// Colours are set back at the line's end.
func cleanBut(line []byte, keep func(escape []byte) string) string {
	if !slices.ContainsFunc(line, func(c byte) bool { return c < ' ' || c > '~' }) {
		return string(line) // as most are
	}
	if i := bytes.LastIndexByte(bytes.TrimRight(line, "\r"), '\r'); i >= 0 {
		line = line[i+1:] // a progress bar that draws over itself
	}
	var b strings.Builder
	end := ""
	for len(line) > 0 {
		if n := escape(line); n > 0 {
			if kept := keep(line[:n]); kept != "" {
				b.WriteString(kept)
				if end = reset; kept == reset || kept == "\x1b[0m" {
					end = ""
				}
			}
			line = line[n:]
			continue
		}
		r, n := utf8.DecodeRune(line)
		line = line[n:]
		if r == '\t' || !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) {
			b.WriteRune(r)
		}
	}
	b.WriteString(end)
	return b.String()
}

// escape is the length of the escape sequence at the beginning of line.
func escape(line []byte) int {
	if line[0] != 0x1b {
		return 0
	}
	if len(line) < 2 {
		return 1
	}
	switch line[1] {
	case '[':
		for i := 2; i < len(line); i++ {
			if line[i] >= '@' && line[i] <= '~' {
				return i + 1
			}
		}
		return len(line)
	case ']', 'P', 'X', '^', '_': // a string, like a window's title, up to BEL or ESC \
		for i := 2; i < len(line); i++ {
			if line[i] == 7 {
				return i + 1
			}
			if line[i] == 0x1b {
				return min(i+2, len(line))
			}
		}
		return len(line)
	}
	return 1
}
