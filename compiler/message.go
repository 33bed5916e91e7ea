package compiler

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"cuelang.org/go/cue/errors"
)

// message is an error's text with that of the errors that it wraps, and
// without positions and paths.
func message(err error) string {
	var parts []string
	for err != nil {
		e, ok := err.(errors.Error)
		if !ok {
			parts = append(parts, bare(err))
			break
		}
		if s := saidOf(e); s != "" && !slices.Contains(parts, s) {
			parts = append(parts, s)
		}
		err = errors.Unwrap(e)
	}
	return strings.Join(parts, ": ")
}

// packageOfHidden is what CUE adds to the name of a hidden field.
var packageOfHidden = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(_#?\w*)\([\w./@-]+(?::\w+)?\)`) })

// saidOf is one error's own text, without those that it wraps, in words of
// this program where CUE's are of its insides.
func saidOf(e errors.Error) string {
	format, args := e.Msg()
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == nil {
			// CUE has no syntax of its own functions to show.
			args[i] = "it"
		}
	}
	switch format {
	case "cycle with field: %v":
		format = "a field that is made from itself, by way of %v"
	case "adding field %v not allowed as field set was already referenced":
		format = "field %v is added to a struct by going through its own fields"
	case "no injection defined for %q":
		format = "@extern(%s) means nothing here: pikaci knows @extern(embed) alone"
	case "unreferenced alias or let clause %s":
		format = "nothing uses the alias or let %s"
	case "explicit error (_|_ literal) in source":
		format = "the value is _|_, which is an error"
	case "invalid operand %s (found %s, want list or struct)":
		format = "%s is no list and no struct, and has no fields: found %s"
	case "expression exceeds maximum nesting depth of %d":
		format = nestsDeeper
	}
	return packageOfHidden().ReplaceAllString(fmt.Sprintf(format, args...), "$1")
}

// maxShown is how much of a message, hint or path is shown, in bytes: a value
// in it may be of megabytes.
const maxShown = 1000

// clipped is a text with its middle left out where it is very long.
func clipped(s string) string {
	if len(s) <= maxShown {
		return s
	}
	head, tail := maxShown*3/4, len(s)-maxShown/4
	for !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + " ... " + s[tail:]
}
