package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/sledtools/pikaci/runtime/incus"
)

// openShell runs a shell on the session's streams. Where they are a terminal, it
// is the shell's, raw, until its end, whatever that is.
func openShell(ctx context.Context, s *session, x *incus.Executor, sh incus.Shell) (int, error) {
	sh.Stdin, sh.Stdout, sh.Stderr = s.stdin, s.stdout, s.stderr
	in, out, ok := s.terminal()
	if !ok {
		return x.Shell(ctx, sh)
	}
	sh.Terminal, sh.Stdout = true, out
	sh.Term, _ = s.lookupEnv("TERM")
	sh.Size = sizeOf(out)
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return 0, fmt.Errorf("make the terminal raw: %w", err)
	}
	defer term.Restore(int(in.Fd()), before)
	resized, stop := resizes(out)
	defer stop()
	sh.Resized = resized
	return x.Shell(ctx, sh)
}

// terminal gives stdin and stdout where both are terminals.
func (s *session) terminal() (in, out *os.File, ok bool) {
	in, isFile := s.stdin.(*os.File)
	if !isFile {
		return nil, nil, false
	}
	w := s.stdout
	if wrapped, is := w.(*output); is {
		w = wrapped.w
	}
	out, isFile = w.(*os.File)
	return in, out, isFile && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

// sizeOf is a terminal's size, or the usual one where it does not know.
func sizeOf(out *os.File) incus.Size {
	width, height, err := term.GetSize(int(out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return incus.Size{Width: 80, Height: 24}
	}
	return incus.Size{Width: width, Height: height}
}

// resizes tells of each new size of a terminal, until stop.
func resizes(out *os.File) (sizes <-chan incus.Size, stop func()) {
	told := make(chan incus.Size)
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGWINCH)
	go func() {
		for {
			select {
			case <-signals:
			case <-done:
				return
			}
			select {
			case told <- sizeOf(out):
			case <-done:
				return
			}
		}
	}()
	return told, func() {
		signal.Stop(signals)
		close(done)
	}
}
