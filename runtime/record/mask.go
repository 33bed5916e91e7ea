package record

import (
	"bytes"
	"slices"
	"strings"
)

// mask replaces secrets in a stream, also those split over writes. It holds
// back only as much as may still become a secret.
type mask struct {
	secrets [][]byte // longest first
	held    []byte
	out     func([]byte)
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
	slices.SortFunc(m.secrets, func(a, b []byte) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return bytes.Compare(a, b)
	})
	m.secrets = slices.CompactFunc(m.secrets, bytes.Equal)
	return m
}

func (m *mask) write(p []byte) {
	if len(m.secrets) == 0 {
		m.out(p)
		return
	}
	m.held = slices.Clone(m.pass(append(m.held, p...), false))
}

// flush writes what is held back: the stream is over.
func (m *mask) flush() {
	m.pass(m.held, true)
	m.held = nil
}

// pass puts out b masked and returns its end that must be held back; none
// where b is final.
func (m *mask) pass(b []byte, final bool) []byte {
	for {
		keep := 0
		if !final {
			keep = m.mayBegin(b)
		}
		at, length := m.first(b)
		// One that began earlier, or here and longer, may still become whole.
		if at < 0 || keep > 0 && len(b)-keep <= at {
			m.out(b[:len(b)-keep])
			return b[len(b)-keep:]
		}
		m.out(b[:at])
		m.out(stars)
		b = b[at+length:]
	}
}

// first is the place and length of the first secret in b, the longest of those
// that begin there; -1 if there is none.
func (m *mask) first(b []byte) (at, length int) {
	at = -1
	for _, s := range m.secrets {
		if i := bytes.Index(b, s); i >= 0 && (at < 0 || i < at) {
			at, length = i, len(s)
		}
	}
	return at, length
}

// mayBegin is the length of the longest end of b that begins a secret without
// being all of it.
func (m *mask) mayBegin(b []byte) int {
	longest := 0
	for _, s := range m.secrets {
		for n := min(len(s)-1, len(b)); n > longest; n-- {
			if bytes.HasSuffix(b, s[:n]) {
				longest = n
				break
			}
		}
	}
	return longest
}
