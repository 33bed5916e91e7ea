package compiler

import (
	"bytes"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxQuote is the longest line that is quoted, in bytes: what is longer was
// not written by a person.
const maxQuote = 4096

// quote adds to each diagnostic the line that it points at, as it was read, and
// cuts what is too long to be read.
func (t *tree) quote(found Diagnostics) Diagnostics {
	lines := map[string][][]byte{}
	type line struct {
		file string
		line int
	}
	secret := map[line]bool{}
	for _, d := range found {
		if d.secret {
			secret[line{d.Position.File, d.Position.Line}] = true
		}
	}
	for i := range found {
		d := &found[i]
		d.Message, d.Hint, d.Path = clipped(d.Message), clipped(d.Hint), clipped(d.Path)
		if d.Position.Line == 0 || secret[line{d.Position.File, d.Position.Line}] {
			continue
		}
		file, split := lines[d.Position.File]
		if !split {
			file = bytes.Split(t.shown(d.Position.File), []byte("\n"))
			lines[d.Position.File] = file
		}
		if n := d.Position.Line - 1; n < len(file) && len(file[n]) <= maxQuote && utf8.Valid(file[n]) {
			d.Source = strings.TrimRight(string(file[n]), "\r")
		}
	}
	return found
}

// shown is the content of a file by the name that display gives it: as it was
// read for the evaluation where it was.
func (t *tree) shown(file string) []byte {
	abs := file
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(t.cwd, file)
	}
	if name, err := filepath.Rel(t.root, abs); err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if content, ok := t.read[filepath.ToSlash(name)]; ok {
			return content
		}
	}
	b, err := readFile(file)
	if err != nil {
		return nil
	}
	return b
}
