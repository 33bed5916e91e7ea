package compiler

import (
	"io/fs"
	"os"
	"syscall"

	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
)

// fileError is a mistake of a whole file, which has no line to point at. It is
// an error of CUE, as those of the other files are.
type fileError struct {
	name, why, hint string
	// cause is what the system says.
	cause string
}

func (e *fileError) Error() string               { return e.why }
func (e *fileError) Msg() (string, []any)        { return "%s", []any{e.why} }
func (e *fileError) Path() []string              { return nil }
func (e *fileError) Position() token.Pos         { return token.NoPos }
func (e *fileError) InputPositions() []token.Pos { return nil }

// unreadable says of a file or folder of the tree why it can't be read.
func (t *tree) unreadable(name string, err error) *fileError {
	e := &fileError{name: name, why: "the file can't be read: " + bare(err), cause: bare(err)}
	link, isLink := os.Readlink(t.disk(name))
	var large *tooLarge
	switch {
	case errors.Is(err, syscall.ELOOP):
		e.why, e.hint = "the file is a link that leads back to itself", "remove the link, or let it lead to a file"
	case isLink == nil && errors.Is(err, fs.ErrNotExist):
		e.why, e.hint = "the file is a link to "+link+", which is not there", "remove the link, or let it lead to a file"
	case errors.Is(err, syscall.EISDIR):
		e.why, e.hint = "a folder is named like a CUE file", "rename the folder: every *.cue here is read"
	case errors.As(err, &large):
		e.why, e.hint = "the file is too large: "+large.Error(), "split it, or generate less"
	case errors.Is(err, fs.ErrPermission):
		e.hint = "let yourself read it: chmod u+r"
	}
	return e
}
