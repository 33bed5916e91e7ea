package compiler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
)

// moduleInfo is what a module file says that matters here.
type moduleInfo struct{ name, language string }

// maxModuleFile is the size of a module file that is read, in bytes. It is read
// before the budget runs, and one of this size can't nest too deep to be parsed.
const maxModuleFile = 256 << 10

// readModule reads the module file of the tree.
func readModule(t *tree) (moduleInfo, error) {
	b, err := t.ReadFile(moduleFile)
	if err != nil {
		return moduleInfo{}, t.unreadable(moduleFile, err)
	}
	if len(b) > maxModuleFile {
		return moduleInfo{}, &fileError{name: moduleFile, why: fmt.Sprintf("the file is too large: %d bytes, and at most %d are read", len(b), maxModuleFile)}
	}
	f, err := parseSafely(moduleFile, b)
	if err != nil {
		return moduleInfo{}, err
	}
	if err := overLimits(f, b); err != nil {
		return moduleInfo{}, err
	}
	fields := readPlaces(t, []*ast.File{f}).fields
	text := func(path ...string) (string, token.Pos) {
		for _, at := range fields[pathKey(path...)] {
			if lit, ok := at.value.(*ast.BasicLit); ok {
				return unquoted(lit), lit.Pos()
			}
		}
		return "", f.Pos()
	}
	var m moduleInfo
	name, _ := text("module")
	m.name, _, _ = strings.Cut(name, "@")
	language, at := text("language", "version")
	m.language = language
	if m.name == "" {
		return m, errors.Newf(f.Pos(), "the module file names no module")
	}
	if m.language == "" {
		return m, errors.Newf(f.Pos(), "the module file names no language version, like %s", fmt.Sprintf("language: version: %q", "v0.17.0"))
	}
	own, _ := versionOf(cue.LanguageVersion())
	switch v, ok := versionOf(m.language); {
	case !ok:
		return m, errors.Newf(at, "the language version is %q: want one like %q", m.language, cue.LanguageVersion())
	case slices.Compare(v, own) > 0:
		return m, errors.Newf(at, "the language version %s is newer than %s, the newest that this version of pikaci knows", m.language, cue.LanguageVersion())
	}
	return m, nil
}

// versionOf is a version like v0.17.1 by its three numbers; false where a text
// is none.
func versionOf(text string) ([]int, bool) {
	text, isVersion := strings.CutPrefix(text, "v")
	core, _, _ := strings.Cut(text, "-")
	var out []int
	for part := range strings.SplitSeq(core, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || strconv.Itoa(n) != part {
			return nil, false
		}
		out = append(out, n)
	}
	return out, isVersion && len(out) == 3
}
