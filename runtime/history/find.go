package history

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sledtools/pikaci/runtime/record"
)

// Latest is the name of the newest run.
const Latest = "latest"

// FindError says that a name does not stand for one run.
type FindError struct {
	Message string
	hint    string
	// Names are those that there are, where the name is not one of them: ids
	// and lanes.
	Names []string
}

func (e *FindError) Error() string { return e.Message }

// Hint says what helps.
func (e *FindError) Hint() string { return e.hint }

// Find is the run that a name stands for: its id, latest, a lane (its newest
// run), or the beginning of just one id. In this order: a whole name stands
// before a part of one.
func (r *Runs) Find(name string) (*record.Dir, error) {
	if len(r.all) == 0 {
		return nil, &FindError{Message: "there is no run in " + r.Root,
			hint: "pikaci exec makes one; records that lie elsewhere are named with --state-root"}
	}
	var begin []string
	for _, e := range r.all {
		if e.id == name {
			return r.dir(name), nil
		}
		if strings.HasPrefix(e.id, strings.ToLower(name)) || strings.HasPrefix(e.id, name) {
			begin = append(begin, e.id)
		}
	}
	if name == Latest {
		return r.dir(r.all[0].id), nil
	}
	lanes := make(map[string]bool)
	for s := range r.All() {
		for _, l := range s.Lanes {
			if l.ID == name {
				return r.dir(s.ID), nil
			}
			lanes[l.ID] = true
		}
	}
	switch {
	case name != "" && len(begin) == 1:
		return r.dir(begin[0]), nil
	case name != "" && len(begin) > 1:
		return nil, &FindError{hint: "type more of the id",
			Message: fmt.Sprintf("%q is the beginning of %d runs: %s", name, len(begin), some(begin))}
	}
	return nil, r.unknown(name, lanes)
}

func (r *Runs) dir(id string) *record.Dir {
	return &record.Dir{ID: id, Path: filepath.Join(r.Root, "runs", id)}
}

func (r *Runs) unknown(name string, lanes map[string]bool) error {
	var ids, names []string
	for _, e := range r.all {
		ids = append(ids, e.id)
	}
	for l := range lanes {
		names = append(names, l)
	}
	slices.Sort(names)
	hint := "newest first, there are: " + some(ids)
	if len(names) > 0 {
		hint += "; lanes that ran: " + some(names)
	}
	return &FindError{Names: slices.Concat([]string{Latest}, names, ids), hint: hint,
		Message: fmt.Sprintf("no run is named %q: no id begins so, and no run had a lane of that name", name)}
}

// maxNamed is how many names an error lists.
const maxNamed = 5

func some(names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}
