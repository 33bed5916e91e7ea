package history

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/record"
)

// Runs are the runs of a state root, as of when it was opened.
type Runs struct {
	// Root is the state root, absolute.
	Root string
	// all is the newest first.
	all   []entry
	index index
}

// entry is a run that is there, and when it began.
type entry struct {
	id    string
	began time.Time
}

// Open lists the runs under a state root. One that is not there has no runs.
func Open(stateRoot string) (*Runs, error) {
	root, err := filepath.Abs(stateRoot)
	if err != nil {
		return nil, fmt.Errorf("state root %s: %w", stateRoot, err)
	}
	r := &Runs{Root: root, index: index{path: filepath.Join(root, indexName)}}
	dir, err := os.Open(filepath.Join(root, "runs"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list the runs: %w", err)
	}
	for _, name := range names {
		if record.ValidID(name) {
			began, ok := record.IDTime(name)
			if !ok {
				began = r.summary(name).StartedAt
			}
			r.all = append(r.all, entry{name, began})
		}
	}
	r.index.save(r.all)
	slices.SortFunc(r.all, func(a, b entry) int {
		return cmp.Or(b.began.Compare(a.began), strings.Compare(b.id, a.id))
	})
	return r, nil
}

// Len is how many runs there are.
func (r *Runs) Len() int { return len(r.all) }

// All gives the runs, the newest first. Those that are not looked at are not
// read.
func (r *Runs) All() iter.Seq[Summary] {
	return func(yield func(Summary) bool) {
		defer func() { r.index.save(r.all) }()
		for _, e := range r.all {
			if !yield(r.summary(e.id)) {
				return
			}
		}
	}
}

func (r *Runs) summary(id string) Summary {
	s, ok := r.index.get(r.Root, id)
	if !ok {
		var size int64
		s, size = summarize(r.Root, id)
		r.index.put(s, size)
	}
	if s.State != record.Unfinished {
		return s
	}
	stands := r.dir(id).Stands()
	if stands == record.Killed {
		// It may have ended after it was read, and before it was asked for.
		if again, _ := summarize(r.Root, id); again.State == record.Finished {
			return again
		}
	}
	s.State = stands
	return s
}
