package nix

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
)

// fanOut writes to all logs of the jobs that wait for a build. One that joins
// later first gets what was written before, as far as it was kept.
type fanOut struct {
	mu      sync.Mutex
	writers []io.Writer
	before  []byte
	cut     bool
}

// maxBefore bounds what is kept for those who join later, in bytes.
const maxBefore = 1 << 20

func (f *fanOut) add(w io.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut {
		fmt.Fprintln(w, "pikaci: the beginning of this build's log is in the log of the job that began it")
	}
	w.Write(f.before)
	f.writers = append(f.writers, w)
}

// Write never fails: a log is not worth a build.
func (f *fanOut) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.writers {
		w.Write(p)
	}
	if len(f.before)+len(p) > maxBefore {
		f.before, f.cut = nil, true
	} else if !f.cut {
		f.before = append(f.before, p...)
	}
	return len(p), nil
}

// lastError passes a build's log on and keeps its last line that begins with
// "error:", only to show it: Nix exits with 1 whatever went wrong.
type lastError struct {
	next io.Writer
	line []byte
	last string
}

// maxLine is the longest line that is looked at, in bytes.
const maxLine = 2000

func (l *lastError) Write(p []byte) (int, error) {
	rest := p
	for {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		l.line = append(l.line, line[:min(len(line), maxLine-min(maxLine, len(l.line)))]...)
		if !whole {
			break
		}
		if text := strings.TrimSpace(plain(l.line)); strings.HasPrefix(text, "error:") && text != "error:" {
			l.last = text
		}
		l.line, rest = l.line[:0], after
	}
	return l.next.Write(p)
}

func (l *lastError) reason(installable string, exit *exec.ExitError) string {
	if l.last == "" {
		return fmt.Sprintf("nix build %s: %s", installable, exit)
	}
	return fmt.Sprintf("nix build %s: %s", installable, strings.TrimSpace(strings.TrimPrefix(l.last, "error:")))
}

// plain is a line without colour codes.
func plain(line []byte) string {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		if line[i] == 0x1b && i+1 < len(line) && line[i+1] == '[' {
			for i += 2; i < len(line) && (line[i] < '@' || line[i] > '~'); i++ {
			}
			continue
		}
		b.WriteByte(line[i])
	}
	return b.String()
}
