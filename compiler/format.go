package compiler

import (
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
)

// Format gives the content of a CUE file as CUE's own formatter writes it, which
// is what cue fmt and editors do. The error is Diagnostics where the content is
// not CUE; name is what they call the file.
func Format(name string, content []byte) ([]byte, error) {
	f, err := parser.ParseFile(name, content, parser.ParseComments)
	if err == nil {
		return format.Node(f)
	}
	// What follows in the same file comes of the first as a rule.
	first := errors.Errors(err)[0]
	at := first.Position()
	return nil, Diagnostics{{
		Position: Position{File: name, Line: at.Line(), Column: at.Column()},
		Message:  message(first),
	}}
}
