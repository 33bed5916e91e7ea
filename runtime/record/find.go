package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// NotFoundError means that no run, or more than one, is meant by a name.
type NotFoundError struct {
	Name      string
	StateRoot string
	// Matches are the ids that begin with the name; none or several.
	Matches []string
}

// Error says what was looked for and where.
func (e *NotFoundError) Error() string {
	switch {
	case len(e.Matches) > 0:
		return fmt.Sprintf("%d runs in %s begin with %q", len(e.Matches), e.StateRoot, e.Name)
	case e.Name == Latest:
		return "no run in " + e.StateRoot
	}
	return fmt.Sprintf("no run %q in %s", e.Name, e.StateRoot)
}

// Latest is the name of the run that began last.
const Latest = "latest"

// Find finds a run by its id, by the beginning of one id alone, or by the word
// latest.
func Find(stateRoot, name string) (*Dir, error) {
	dirs, err := List(stateRoot)
	if err != nil {
		return nil, err
	}
	var matches []*Dir
	var ids []string
	for _, d := range dirs {
		if d.ID == name {
			return d, nil
		}
		if name != "" && strings.HasPrefix(d.ID, name) {
			matches, ids = append(matches, d), append(ids, d.ID)
		}
	}
	switch {
	case name == Latest && len(dirs) > 0:
		return dirs[len(dirs)-1], nil
	case len(matches) == 1:
		return matches[0], nil
	}
	return nil, &NotFoundError{name, stateRoot, ids}
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
