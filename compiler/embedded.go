package compiler

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
)

// embedOf is the first place of a file that says @embed.
func embedOf(f *ast.File, content []byte) (at token.Pos) {
	if !bytes.Contains(content, []byte("@embed")) {
		return token.NoPos
	}
	ast.Walk(f, func(n ast.Node) bool {
		if a, ok := n.(*ast.Attribute); ok && !at.IsValid() {
			if key, _ := a.Split(); key == "embed" {
				at = a.Pos()
			}
		}
		return !at.IsValid()
	}, nil)
	return at
}

// embedded is the place in a file that @embed reads and that is wrong; false
// for an error of another kind. Such files are named as the attribute does,
// from the folder of the file that holds it.
func (p *places) embedded(e errors.Error) (Position, bool) {
	outer := e.Position()
	for err := errors.Unwrap(e); err != nil; err = errors.Unwrap(err) {
		inner, ok := err.(errors.Error)
		if !ok || !outer.IsValid() || !inner.Position().IsValid() || strings.HasSuffix(inner.Position().Filename(), ".cue") {
			continue
		}
		name := path.Join(path.Dir(outer.Filename()), inner.Position().Filename())
		if _, read := p.tree.read[name]; read {
			at := inner.Position().Position()
			return Position{File: p.tree.display(name), Line: at.Line, Column: at.Column}, true
		}
	}
	return Position{}, false
}

// unopened says why a file that @embed names can't be opened: CUE says of every
// one that it is not there.
func (p *places) unopened(d Diagnostic, e errors.Error) Diagnostic {
	outer := e.Position()
	for err := errors.Unwrap(e); err != nil; err = errors.Unwrap(err) {
		inner, ok := err.(errors.Error)
		if !ok {
			continue
		}
		format, args := inner.Msg()
		if format != "open %v: no such file or directory" || len(args) != 1 || !outer.IsValid() {
			continue
		}
		file := fmt.Sprint(args[0])
		name := path.Join(path.Dir(outer.Filename()), file)
		if _, err := p.tree.readDisk(name); err != nil && (!errors.Is(err, fs.ErrNotExist) || isLink(p.tree.disk(name))) {
			why := p.tree.unreadable(name, err)
			d.Message, d.Hint = fmt.Sprintf("@embed: %s: %s", file, why.why), why.hint
		}
	}
	return d
}

func isLink(name string) bool {
	_, err := os.Readlink(name)
	return err == nil
}
