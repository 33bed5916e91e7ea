package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Open finds the directory of a run that is there, or fails with
// [fs.ErrNotExist].
func Open(stateRoot, id string) (*Dir, error) {
	root, err := filepath.Abs(stateRoot)
	if err != nil {
		return nil, fmt.Errorf("state root %s: %w", stateRoot, err)
	}
	d := &Dir{ID: id, Path: filepath.Join(root, "runs", id)}
	info, err := os.Lstat(d.Path)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, fmt.Errorf("open run %s: %w", id, err)
	}
	return d, nil
}

// List are the runs of a state root, the oldest first: ids that are given by
// hand don't sort by time, so directories' own times are asked for. One that
// has no run yet has none.
func List(stateRoot string) ([]*Dir, error) {
	root, err := filepath.Abs(stateRoot)
	if err != nil {
		return nil, fmt.Errorf("state root %s: %w", stateRoot, err)
	}
	entries, err := os.ReadDir(filepath.Join(root, "runs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var dirs []*Dir
	for _, e := range entries {
		if e.IsDir() && ValidID(e.Name()) {
			dirs = append(dirs, &Dir{ID: e.Name(), Path: filepath.Join(root, "runs", e.Name())})
		}
	}
	return dirs, sortByAge(dirs)
}

// Began is when the run began: its plan is written then, once. A run that was
// killed before has its directory's time.
func (d *Dir) Began() (time.Time, error) {
	info, err := os.Stat(d.file("plan.json"))
	if errors.Is(err, fs.ErrNotExist) {
		info, err = os.Stat(d.Path)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("age of run %s: %w", d.ID, err)
	}
	return info.ModTime(), nil
}

// sortByAge sorts the oldest first. A run that is being removed under our eyes
// is as old as can be.
func sortByAge(dirs []*Dir) error {
	began := make(map[*Dir]time.Time, len(dirs))
	for _, d := range dirs {
		at, err := d.Began()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		began[d] = at
	}
	slices.SortStableFunc(dirs, func(a, b *Dir) int { return began[a].Compare(began[b]) })
	return nil
}
