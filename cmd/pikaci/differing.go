package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// differing names files that differ between two folders, at most maxStale.
func differing(a, b string) []string {
	seen := map[string]bool{}
	var names []string
	for _, dir := range []string{a, b} {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			name, relErr := filepath.Rel(dir, path)
			if err != nil || relErr != nil || d.IsDir() || seen[name] {
				return nil
			}
			seen[name] = true
			if !sameFile(filepath.Join(a, name), filepath.Join(b, name)) {
				names = append(names, name)
			}
			return nil
		})
	}
	slices.Sort(names)
	return names[:min(len(names), maxStale)]
}

// sameFile compares kind, executable bit and content.
func sameFile(a, b string) bool {
	one, err := os.Lstat(a)
	if err != nil {
		return false
	}
	two, err := os.Lstat(b)
	if err != nil || one.Mode().Type() != two.Mode().Type() || one.Mode()&0o100 != two.Mode()&0o100 {
		return false
	}
	if one.Mode().Type() == fs.ModeSymlink {
		x, _ := os.Readlink(a)
		y, _ := os.Readlink(b)
		return x == y
	}
	x, err := os.ReadFile(a)
	if err != nil {
		return false
	}
	y, err := os.ReadFile(b)
	return err == nil && bytes.Equal(x, y)
}
