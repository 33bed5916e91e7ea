package compiler

import (
	"path/filepath"
	"slices"
)

// lookedAt are the files and folders that loading dir asked for, as a user
// names them, sorted.
func (t *tree) lookedAt(dir string) []string {
	names := []string{dir}
	if t.looks != nil {
		names = append(names, t.looks.paths(t.named)...)
	} else if abs, err := filepath.Abs(dir); err == nil {
		// Nothing was read yet: only the module was looked for.
		l := newLooks()
		l.lookForModule(abs, "")
		names = append(names, l.paths(t.named)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
