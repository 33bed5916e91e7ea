package main

// The rules for output:
//
//   - stdout holds only what was asked for: a plan, a list, a schema, a help
//     text. Everything else goes to stderr.
//   - an error is one line, `pikaci: message`, lower case, no period; what to
//     do about it follows on a line of its own, `hint: ...`.
//   - a mistake in a lane file begins with file:line:column instead, so that
//     an editor can jump to it; other places involved follow, indented.
//   - nothing is said when all is well.
//   - no control character of a file's name or content reaches the terminal.
//   - what can't be written to stdout is an error, never silence; what can't
//     be written to stderr is lost.
//
// Only this file writes to stderr.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sledtools/pikaci/compiler"
)

// The exit codes; docs/running.md says more.
const (
	exitOK = 0
	// exitInvalid: lane files or plan are not valid, or the plan is stale.
	exitInvalid = 3
	// exitBroken: it could not be carried out, for a reason that is neither
	// in the lane files nor on the command line.
	exitBroken = 4
	// exitUsage: the command line is wrong; unknown names are.
	exitUsage = 64
	// exitInterrupted: a signal ended it.
	exitInterrupted = 130
)

// maxDiagnostics is how many mistakes are printed before the rest is a number.
const maxDiagnostics = 20

// exitError is an error that knows its exit code and what helps against it.
type exitError struct {
	code    int
	message string
	hint    string
}

func (e *exitError) Error() string { return e.message }

// usage is a mistake on the command line; hint may be empty.
func usage(hint, format string, args ...any) error {
	return &exitError{code: exitUsage, message: fmt.Sprintf(format, args...), hint: hint}
}

// invalid says that lane files or a plan are not what they must be.
func invalid(hint, format string, args ...any) error {
	return &exitError{code: exitInvalid, message: fmt.Sprintf(format, args...), hint: hint}
}

// verdict is how a run ended, as an exit code: all was said, and nothing is
// printed. It is nil for 0.
func verdict(code int) error {
	if code == exitOK {
		return nil
	}
	return &verdictError{code}
}

// verdictError is an exit code without words.
type verdictError struct{ code int }

func (e *verdictError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// hintOf is what an error of another package says to do about it, or nothing.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// output is stdout: it keeps the first error, so that printing needs no check
// at each line and no failure is lost.
type output struct {
	w   io.Writer
	err error
}

// Write passes p on until the first error.
func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	if err != nil {
		o.err = fmt.Errorf("write to stdout: %w", bare(err))
	}
	return n, o.err
}

// note prints a line to stderr, or several where the text has them.
func (s *session) note(format string, args ...any) {
	text := []byte(fmt.Sprintf(format, args...))
	line := make([]byte, 0, len(text)+1)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == '\n' || unicode.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			line = append(line, text[:size]...)
		} else {
			quoted := strconv.AppendQuote(nil, string(text[:size]))
			line = append(line, quoted[1:len(quoted)-1]...)
		}
		text = text[size:]
	}
	s.stderr.Write(append(line, '\n'))
}

// oneLine keeps a text that others chose on its line.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }

// report prints an error and gives the exit code that it stands for.
func (s *session) report(ctx context.Context, err error) int {
	var found compiler.Diagnostics
	var unknown *compiler.UnknownNameError
	var exit *exitError
	var ended *verdictError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &ended):
		return ended.code
	case errors.As(err, &found):
		s.diagnostics(found)
		return exitInvalid
	case errors.As(err, &unknown):
		s.failed(err, didYouMean(unknown.Nearest, "pikaci compile --list shows all"))
		return exitUsage
	case errors.As(err, &exit):
		s.failed(err, exit.hint)
		return exit.code
	case ctx.Err() != nil:
		s.failed(errors.New("interrupted"), "")
		return exitInterrupted
	}
	s.failed(err, hintOf(err))
	return exitBroken
}

// failed prints an error; several that were joined one after the other, each
// with its own hint.
func (s *session) failed(err error, hint string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && errors.Join(joined.Unwrap()...).Error() == err.Error() {
		for _, err := range joined.Unwrap() {
			s.failed(err, hintOf(err))
		}
		return
	}
	s.note("pikaci: %v", err)
	if hint != "" {
		s.note("hint: %s", hint)
	}
}

func (s *session) diagnostics(found compiler.Diagnostics) {
	for i, d := range found {
		if i == maxDiagnostics {
			s.note("pikaci: and %d more", len(found)-i)
			return
		}
		at := d.Position.String()
		if at == "" {
			at = "pikaci"
		}
		s.note("%s: %s", at, oneLine(strings.TrimSpace(d.Message)))
		for _, other := range d.Others {
			s.note("    %s", other)
		}
		// One hint is enough for neighbours of the same kind.
		if d.Hint != "" && (i+1 == len(found) || i+1 == maxDiagnostics || found[i+1].Hint != d.Hint) {
			s.note("hint: %s", d.Hint)
		}
	}
}
