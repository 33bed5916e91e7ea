package snapshot

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Tree is what is known of a copy, or of a tree as a copy would be: its entries
// and their contents' digests.
type Tree struct{ entries []entry }

func newTree(entries []entry) *Tree {
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	return &Tree{entries}
}

// Result describes the tree.
func (t *Tree) Result() Result { return result(t.entries) }

// Part is what of the tree globs match, with the folders on the way there.
// Globs are doublestar's, relative to the root; what lies in a folder whose name
// matches is no match by that.
func (t *Tree) Part(globs []string) *Tree {
	in := make(map[string]bool)
	for _, e := range t.entries {
		if !slices.ContainsFunc(globs, func(glob string) bool { return doublestar.MatchUnvalidated(glob, e.path) }) {
			continue
		}
		for p := e.path; p != "." && !in[p]; p = path.Dir(p) {
			in[p] = true
		}
	}
	part := &Tree{}
	for _, e := range t.entries {
		if in[e.path] {
			part.entries = append(part.entries, e)
		}
	}
	return part
}

// Link makes a folder at target, which must not exist, hold the part of the copy
// at source that the tree is. Files are the copy's own, by hard links, where the
// file system can: nobody writes to either. After an error, what was made so far
// is left where it is.
func (t *Tree) Link(ctx context.Context, source, target string) error {
	if err := os.Mkdir(target, 0o755); err != nil {
		return err
	}
	c := copier{links: true, only: make(map[string]bool, len(t.entries))}
	for _, e := range t.entries {
		c.only[e.path] = true
	}
	if err := c.copy(ctx, source, target); err != nil {
		return err
	}
	made := newTree(c.entries)
	if !slices.EqualFunc(made.entries, t.entries, func(a, b entry) bool { return a.path == b.path && a.kind == b.kind }) {
		return fmt.Errorf("%s is not what it was when it was read", source)
	}
	return nil
}
