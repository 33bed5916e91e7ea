package record

import (
	"bytes"
	"slices"
	"strings"
)

// mask replaces secrets in a stream, also those split over writes: every byte
// that any secret covers goes, so that of two that overlap no end is left, and
// each run of such bytes becomes three stars. It holds back only as much as may
// still become a secret.
type mask struct {
	secrets [][]byte
	out     func([]byte)
	// held are the last bytes of the stream; the first done of them are
	// covered for certain and put out already.
	held []byte
	done int
	// hidden says that the last byte that was put out was a secret's.
	hidden bool
	spans  []span // of covered, kept for the next call
}

// minLine is the length from which a single line of a secret is masked, too:
// keys of several lines are often printed line by line.
const minLine = 8

var stars = []byte("***")

func newMask(secrets []string, out func([]byte)) *mask {
	m := &mask{out: out}
	add := func(s string) {
		if s != "" {
			m.secrets = append(m.secrets, []byte(s))
		}
	}
	for _, s := range secrets {
		add(s)
		trimmed := strings.TrimSpace(s)
		add(trimmed)
		if lines := strings.Split(trimmed, "\n"); len(lines) > 1 {
			for _, line := range lines {
				if line = strings.TrimSpace(line); len(line) >= minLine {
					add(line)
				}
			}
		}
	}
	slices.SortFunc(m.secrets, bytes.Compare)
	m.secrets = slices.CompactFunc(m.secrets, bytes.Equal)
	return m
}

func (m *mask) write(p []byte) {
	if len(m.secrets) == 0 {
		m.out(p)
		return
	}
	b := p
	if len(m.held) > 0 {
		m.held = append(m.held, p...)
		b = m.held
	}
	// What may still become a secret is looked at again with the next write.
	keep := m.mayBegin(b)
	to := m.pass(b, len(b)-keep)
	m.held = append(m.held[:0], b[len(b)-keep:]...)
	m.done = to - (len(b) - keep)
}

// flush writes what is held back: the stream is over.
func (m *mask) flush() {
	m.pass(m.held, len(m.held))
	m.held, m.done = nil, 0
}

// pass puts out b masked, from what is done already to what is decided: up to
// end, and on as far as secrets that are whole cover it. It returns how far.
func (m *mask) pass(b []byte, end int) int {
	at := m.done
	for _, s := range m.covered(b) {
		if s.from > max(at, end) {
			break
		}
		if s.from > at {
			m.out(b[at:s.from])
			m.hidden = false
		}
		if s.to > at && !m.hidden {
			m.out(stars)
			m.hidden = true
		}
		at = max(at, s.to)
	}
	if at < end {
		m.out(b[at:end])
		m.hidden = false
		at = end
	}
	return at
}

// span is a stretch of bytes.
type span struct{ from, to int }

// covered are the places of all secrets in b, by where they begin.
func (m *mask) covered(b []byte) []span {
	m.spans = m.spans[:0]
	for _, s := range m.secrets {
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], s)
			if i < 0 {
				break
			}
			at += i
			m.spans = append(m.spans, span{at, at + len(s)})
		}
	}
	slices.SortFunc(m.spans, func(a, b span) int { return a.from - b.from })
	return m.spans
}

// mayBegin is the length of the longest end of b that begins a secret without
// being all of it.
func (m *mask) mayBegin(b []byte) int {
	longest := 0
	for _, s := range m.secrets {
		for at := max(0, len(b)-len(s)+1); len(b)-at > longest; at++ {
			i := bytes.IndexByte(b[at:], s[0])
			if i < 0 {
				break
			}
			at += i
			if bytes.HasPrefix(s, b[at:]) {
				longest = max(longest, len(b)-at)
				break
			}
		}
	}
	return longest
}
