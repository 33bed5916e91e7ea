package runtimetest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxLog is how much a [Log] keeps: what tests look at, not what a guest may
// flood it with.
const maxLog = 64 << 20

// Log is a log that can be read while it is written.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() < maxLog {
		l.b.Write(p)
	}
	return len(p), nil
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Tail is what a test's failure shows of it.
func (l *Log) Tail() string {
	s := l.String()
	return s[max(0, len(s)-2000):]
}

// Until waits for a word in the log.
func (l *Log) Until(t testing.TB, word string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(l.String(), word); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %q in %q", word, l.Tail())
		}
	}
}
