package main

// The rules for output:
//
//   - stdout holds only what was asked for: a plan, a list, a schema, a help
//     text. Everything else goes to stderr.
//   - an error is one line, `pikaci: message`, lower case, no period; what to
//     do about it follows on a line of its own, `hint: ...`.
//   - a mistake in a lane file begins with file:line:column instead, so that
//     an editor can jump to it; the line itself with a mark under the place,
//     the field's path and other places involved follow, indented.
//   - a warning says so behind its place, and changes no exit code.
//   - --error-format turns mistakes and warnings into what a machine reads:
//     errors.go.
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
	"slices"
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
	io.WriteString(s.stderr, printable(fmt.Sprintf(format, args...))+"\n")
}

// printable spells out what a terminal would not show as it stands, all but
// newlines.
func printable(text string) string {
	line := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == '\n' || unicode.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			line = append(line, text[:size]...)
		} else {
			quoted := strconv.AppendQuote(nil, text[:size])
			line = append(line, quoted[1:len(quoted)-1]...)
		}
		text = text[size:]
	}
	return string(line)
}

// oneLine keeps a text that others chose on its line.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }

// report prints an error and gives the exit code that it stands for.
func (s *session) report(ctx context.Context, err error) int {
	code, found := judge(ctx, err)
	s.tell(slices.Concat(found, s.warnings))
	return code
}

// judge gives an error's exit code and what there is to say about it.
func judge(ctx context.Context, err error) (int, compiler.Diagnostics) {
	var found compiler.Diagnostics
	var unknown *compiler.UnknownNameError
	var exit *exitError
	var ended *verdictError
	switch {
	case err == nil:
		return exitOK, nil
	case errors.As(err, &ended):
		return ended.code, nil
	case errors.As(err, &found):
		return exitInvalid, found
	case errors.As(err, &unknown):
		return exitUsage, plain(err, hintForName(unknown))
	case errors.As(err, &exit):
		return exit.code, plain(err, exit.hint)
	case ctx.Err() != nil:
		return exitInterrupted, plain(errors.New("interrupted"), "")
	}
	return exitBroken, plain(err, hintOf(err))
}

// tell prints mistakes and warnings in the format that was asked for.
func (s *session) tell(found compiler.Diagnostics) {
	switch s.errorFormat {
	case errorsJSON:
		s.stderr.Write(jsonErrors(found))
	case errorsSARIF:
		s.stderr.Write(sarifErrors(found))
	case errorsGitHub:
		s.stderr.Write(githubErrors(found, workspace(s.env)))
	default:
		s.stderr.Write(textErrors(found, colours(s.env, s.stderr)))
	}
}

// hintForName leads from a name that is not there to one that is.
func hintForName(e *compiler.UnknownNameError) string {
	if e.Owner != "" {
		return "name its lane: pikaci compile " + shellQuoted(e.Owner) + " --job " + shellQuoted(e.Name)
	}
	return didYouMean(e.Nearest, "pikaci compile --list shows all")
}

// plain makes a diagnostic without a place of an error; of several that were
// joined one each, with its own hint.
func plain(err error, hint string) compiler.Diagnostics {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && errors.Join(joined.Unwrap()...).Error() == err.Error() {
		var all compiler.Diagnostics
		for _, err := range joined.Unwrap() {
			all = append(all, plain(err, hintOf(err))...)
		}
		return all
	}
	return compiler.Diagnostics{{Message: err.Error(), Hint: hint}}
}

// failed prints an error.
func (s *session) failed(err error, hint string) { s.tell(plain(err, hint)) }
