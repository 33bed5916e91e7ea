package compiler

import (
	"path/filepath"
	"slices"
)

// lookedAt are the files and folders that loading dir asked for, as a user
// names them, sorted.
func (t *tree) lookedAt(dir string) []string {
	names := []string{dir}
	if abs, err := filepath.Abs(dir); err == nil {
		_, made := t.over[moduleFile]
		// The search for the module's root: another could be made nearer.
		for at := abs; ; at = filepath.Dir(at) {
			names = append(names, t.named(filepath.Join(at, filepath.FromSlash(moduleFile))))
			if at == t.root && !made || at == filepath.Dir(at) {
				break
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range t.looked {
		names = append(names, t.display(name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
