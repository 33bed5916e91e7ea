package compiler

import (
	"fmt"

	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// Format gives the content of a CUE file as CUE's own formatter writes it, which
// is what cue fmt and editors do. The error is Diagnostics where the content is
// not CUE; name is what they call the file.
func Format(name string, content []byte) ([]byte, error) {
	var out []byte
	whole := Diagnostic{Position: Position{File: name}, Message: "formatting the file"}
	// The parser recurses as deep as a file nests, too.
	if err := DefaultBudget().run(whole, func() (err error) {
		out, err = formatted(name, content)
		return err
	}, nil); err != nil {
		return nil, err
	}
	return out, nil
}

func formatted(name string, content []byte) ([]byte, error) {
	f, err := parser.ParseFile(name, content, parser.ParseComments)
	if err != nil {
		// What follows in the same file comes of the first as a rule.
		first := errors.Errors(err)[0]
		return nil, atOf(name, first.Position(), message(first))
	}
	if at, deep := tooDeep(f, len(content)); deep {
		return nil, atOf(name, at, fmt.Sprintf(nestsDeeper, maxDepth))
	}
	return format.Node(f)
}

func atOf(name string, at token.Pos, message string) Diagnostics {
	return Diagnostics{{Position: Position{File: name, Line: at.Line(), Column: at.Column()}, Message: message}}
}
