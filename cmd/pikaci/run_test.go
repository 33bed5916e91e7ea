package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// TestInterrupt ends a compile that waits for its stdin, which never comes.
func TestInterrupt(t *testing.T) {
	silent, never := io.Pipe()
	defer never.Close()
	ctx, interrupt := context.WithCancelCause(t.Context())
	waiting := make(chan struct{})
	var stdout, stderr strings.Builder
	code := make(chan int)
	go func() {
		code <- run(ctx, session{
			args:   []string{"compile", "--lanes", filepath.Join("..", "..", "lanes"), "--changed-path", "-"},
			stdin:  readSignal{silent, waiting},
			stdout: &stdout,
			stderr: &stderr,
		})
	}()
	<-waiting
	interrupt(errors.New("a signal"))
	if got := <-code; got != exitInterrupted {
		t.Errorf("exit code %d, want %d", got, exitInterrupted)
	}
	if got := stderr.String(); got != "pikaci: interrupted\n" || stdout.Len() > 0 {
		t.Errorf("stdout %q, stderr %q", stdout.String(), got)
	}
}

// readSignal closes reading at the first read.
type readSignal struct {
	io.Reader
	reading chan struct{}
}

func (r readSignal) Read(p []byte) (int, error) {
	close(r.reading)
	return r.Reader.Read(p)
}

// TestEveryCommandHasHelp holds the table of commands to what the help prints.
func TestEveryCommandHasHelp(t *testing.T) {
	for _, c := range commands() {
		var stdout, stderr strings.Builder
		code := run(t.Context(), session{args: []string{"help", c.name}, stdout: &stdout, stderr: &stderr})
		if code != exitOK || stderr.Len() > 0 || !strings.Contains(stdout.String(), "pikaci "+c.name) {
			t.Errorf("help %s: exit %d, %q, %q", c.name, code, stdout.String(), stderr.String())
		}
		if c.summary == "" || c.about == "" || strings.HasSuffix(c.summary, ".") {
			t.Errorf("%s: summary %q, about %q", c.name, c.summary, c.about)
		}
	}
}

func TestNoTerminalControl(t *testing.T) {
	var stderr strings.Builder
	s := session{stderr: &stderr}
	s.note("a\x1b[31mb\rc\x9b\xffé\nd %s", oneLine("e\nf"))
	if got, want := stderr.String(), "a\\x1b[31mb\\rc\\x9b\\xffé\nd e\\nf\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
