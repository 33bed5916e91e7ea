package runtimetest

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sledtools/pikaci/runtime/guest"
)

// Machine is a guest that keeps to what pikaci-guest does: its command is begun
// once, goes on while nobody is connected, and is followed from any offset. It
// prints a line now and then and exits.
type Machine struct {
	UUID  string
	Lines int
	Every time.Duration
	Code  int

	mu    sync.Mutex
	begun time.Time
	told  time.Time
}

// Text is all that a machine of that many lines prints.
func (m *Machine) Text() string {
	text := ""
	for i := range m.Lines {
		text += fmt.Sprintf("line %d\n", i+1)
	}
	return text
}

// Ended reports whether the command has run to its own end by now.
func (m *Machine) Ended() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := m.end()
	return !m.begun.IsZero() && m.told.IsZero() && !time.Now().Before(end)
}

func (m *Machine) end() time.Time { return m.begun.Add(time.Duration(m.Lines) * m.Every) }

// Guest is one connection to it.
func (m *Machine) Guest(ctx context.Context, start guest.Start, out io.Writer) {
	m.mu.Lock()
	if m.begun.IsZero() {
		m.begun = time.Now()
	}
	m.mu.Unlock()
	if guest.WriteFrame(out, guest.Started, nil) != nil {
		return
	}
	text := m.Text()
	for at := int(start.From.Stdout); ; {
		length, status := m.now(ctx)
		printed := lineEnds(text, length)
		if at < printed {
			if guest.WriteFrame(out, guest.Stdout, []byte(text[at:printed])) != nil {
				return
			}
			at = printed
		}
		if status != "" {
			guest.WriteFrame(out, guest.Ended, []byte(fmt.Sprintf(status, printed)))
			if start.Artifacts != nil {
				guest.WriteFrame(out, guest.Artifacts, make([]byte, 1024))
			}
			guest.WriteFrame(out, guest.Done, nil)
			return
		}
		if ctx.Err() != nil {
			return
		}
		select {
		case <-time.After(m.Every):
		case <-ctx.Done():
		}
	}
}

// now is how many lines are printed, and the status if it ended.
func (m *Machine) now(ctx context.Context) (lines int, status string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if context.Cause(ctx) == ErrTold && m.told.IsZero() && now.Before(m.end()) {
		m.told = now
	}
	if !m.told.IsZero() {
		return int(m.told.Sub(m.begun) / m.Every), `{"cancelled": true, "stdout": %d}`
	}
	if now.Before(m.end()) {
		return int(now.Sub(m.begun) / m.Every), ""
	}
	return m.Lines, fmt.Sprintf(`{"code": %d, "stdout": %%d}`, m.Code)
}

// lineEnds is the length of the text's first lines.
func lineEnds(text string, lines int) int {
	for i := range len(text) {
		if lines == 0 {
			return i
		}
		if text[i] == '\n' {
			lines--
		}
	}
	return len(text)
}
