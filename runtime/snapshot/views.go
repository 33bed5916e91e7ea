package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Views are folders that hold parts of one copy, each for those who may see no
// more of it. Its methods may be called from many goroutines.
type Views struct {
	// Snapshot is the copy. It is not written to any more.
	Snapshot string

	mu    sync.Mutex
	tree  *Tree
	parts map[string]*Tree
	// made are the folders that are as they should be.
	made map[string]bool
}

// Know says what the copy holds, or will hold. Where nobody does, it is read.
func (v *Views) Know(t *Tree) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tree, v.parts = t, nil
}

// Hash is the content hash of what the globs match.
func (v *Views) Hash(ctx context.Context, globs []string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	part, err := v.part(ctx, globs)
	if err != nil {
		return "", err
	}
	return part.Result().ContentHash, nil
}

func (v *Views) part(ctx context.Context, globs []string) (*Tree, error) {
	key := strings.Join(globs, "\x00")
	if p := v.parts[key]; p != nil {
		return p, nil
	}
	if v.tree == nil {
		t, err := Read(ctx, v.Snapshot, Filter{})
		if err != nil {
			return nil, err
		}
		v.tree = t
	}
	if v.parts == nil {
		v.parts = make(map[string]*Tree)
	}
	p := v.tree.Part(globs)
	v.parts[key] = p
	return p, nil
}

// Make makes the folder at target hold what the globs match and nothing else.
// One that is there, as of an owner who was killed, is whole, or it is an error:
// it may be mounted in an instance.
func (v *Views) Make(ctx context.Context, globs []string, target string) error {
	v.mu.Lock() // a second job waits for the first one's folder
	defer v.mu.Unlock()
	if v.made[target] {
		return nil
	}
	part, err := v.part(ctx, globs)
	if err != nil {
		return err
	}
	switch _, err := os.Lstat(target); {
	case errors.Is(err, fs.ErrNotExist):
		err = makeWhole(ctx, part, v.Snapshot, target)
		if err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		there, err := Hash(ctx, target, Filter{})
		if err != nil {
			return err
		}
		if want := part.Result().ContentHash; there.ContentHash != want {
			return fmt.Errorf("%s was changed: it is %s, and was %s", target, there.ContentHash, want)
		}
	}
	if v.made == nil {
		v.made = make(map[string]bool)
	}
	v.made[target] = true
	return nil
}

// makeWhole makes a folder, which is there when it is whole.
func makeWhole(ctx context.Context, part *Tree, source, target string) error {
	scratch := target + ".new"
	err := errors.Join(os.RemoveAll(scratch), os.MkdirAll(filepath.Dir(target), 0o755))
	if err == nil {
		err = part.Link(ctx, source, scratch)
	}
	if err == nil {
		err = os.Rename(scratch, target)
	}
	if err != nil {
		os.RemoveAll(scratch)
	}
	return err
}
