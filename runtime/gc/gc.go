// Package gc takes back what runs without a live owner left: instances on the
// server, processes of host jobs, and run directories. It judges runs of one
// state root by their locks and journals; of others it knows nothing and
// touches nothing.
package gc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/sledtools/pikaci/runtime/host"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/record"
)

// Server has the instances of a state root.
type Server interface {
	// Inventory is all of them, or an error.
	Inventory(ctx context.Context) ([]incus.Found, error)
	// Remove deletes one that is still the same.
	Remove(ctx context.Context, f incus.Found) error
}

// Options say what goes.
type Options struct {
	// StateRoot is absolute.
	StateRoot string
	// Server is nil where no run of the state root ever made an instance.
	Server Server
	// Keep is how many run directories stay: those that began last.
	Keep int
	// OlderThan is for how long what may still be wanted stays: the directory
	// of a run that was killed and may be resumed, and an instance whose run
	// directory is gone.
	OlderThan time.Duration
	// CacheAge is for how long what lanes and runs share stays, counted from its
	// last use: what lanes keep for host jobs, and rendered development shells.
	CacheAge time.Duration
	// Kept takes instances that were kept, before their time is over.
	Kept bool
	// Orphans takes instances whose run directory is gone, too.
	Orphans bool
	// Run, where it is set, is the one run that is looked at.
	Run string
	Now time.Time
}

// Kind is what kind of thing an item is.
type Kind string

// The kinds.
const (
	Instance     Kind = "instance"
	RunDirectory Kind = "run_directory"
	// Process is one of a host job that outlived its pikaci.
	Process Kind = "process"
	// HostCache is what a lane keeps for its host jobs.
	HostCache Kind = "host_cache"
	// DevShell is a rendered development shell.
	DevShell Kind = "dev_shell"
)

// Item is one thing that was looked at.
type Item struct {
	Kind    Kind   `json:"kind"`
	Run     string `json:"run"`
	Name    string `json:"name"`
	Project string `json:"project,omitempty"`
	Job     string `json:"job,omitempty"`
	UUID    string `json:"uuid,omitempty"`
	AgeSecs int64  `json:"age_secs"`
	// Remove says that it goes, and Why says why, or why not.
	Remove bool   `json:"remove"`
	Why    string `json:"why"`
	// Removed and Error say what came of it.
	Removed bool   `json:"removed"`
	Error   string `json:"error,omitempty"`

	found incus.Found
	left  host.Left
	// key is the lane or the derivation of what runs share.
	key string
}

// Plan looks at everything and says what goes, and touches nothing. An error
// means that not all could be seen: then nothing may go.
func Plan(ctx context.Context, o Options) ([]Item, error) {
	dirs, err := record.List(o.StateRoot)
	if err != nil {
		return nil, err
	}
	var items []Item
	// The server is asked before the locks: a run that began since then is
	// live, or has nothing in the inventory.
	if o.Server != nil {
		found, err := o.inventory(ctx, dirs)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if o.Run != "" && f.Run != o.Run {
				continue
			}
			item, err := o.instance(f)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
	}
	left, err := host.Marked(o.StateRoot)
	if err != nil {
		return nil, err
	}
	for _, l := range left {
		d, err := record.Open(o.StateRoot, l.Run)
		if err != nil || o.Run != "" && l.Run != o.Run {
			continue
		}
		live, err := d.Live()
		if err != nil {
			return nil, err
		}
		if !live {
			items = append(items, Item{Kind: Process, Run: l.Run, Name: fmt.Sprintf("%d (%s)", l.PID, l.Command),
				Job: l.Job, Remove: true, Why: "its run was killed", left: l})
		}
	}
	for i, d := range dirs {
		if o.Run != "" && d.ID != o.Run {
			continue
		}
		item, err := o.directory(d, i >= len(dirs)-o.Keep, items)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	keepPasses(dirs, items)
	if o.Run != "" {
		return items, nil
	}
	shared, err := o.shared(dirs)
	return append(items, shared...), err
}

// instance judges one instance.
func (o *Options) instance(f incus.Found) (Item, error) {
	age := o.Now.Sub(f.Created)
	if !o.Kept && f.KeptUntil.After(o.Now) {
		return o.kept(f, age)
	}
	item := Item{Kind: Instance, Run: f.Run, Name: f.Name, Project: f.Project, Job: f.Job, UUID: f.UUID,
		AgeSecs: int64(age.Seconds()), found: f}
	d, err := record.Open(o.StateRoot, f.Run)
	if errors.Is(err, fs.ErrNotExist) {
		switch {
		case !o.Orphans:
			item.Why = "its run directory is gone, so nobody can tell whether the run goes on (--orphans takes it)"
		case age < o.OlderThan:
			item.Why = "its run directory is gone, but not for long enough (--older-than)"
		default:
			item.Remove, item.Why = true, "its run directory is gone"
		}
		return item, nil
	}
	if err != nil {
		return Item{}, err
	}
	live, err := d.Live()
	switch {
	case err != nil:
		return Item{}, err
	case live:
		item.Why = "its run is under way"
	case o.Kept && f.KeptUntil.After(o.Now):
		item.Remove, item.Why = true, "it was kept (--kept)"
	case !f.KeptUntil.IsZero():
		item.Remove, item.Why = true, "it was kept until "+moment(f.KeptUntil)
	case d.Ended():
		item.Remove, item.Why = true, "its run has ended"
	default:
		item.Remove, item.Why = true, "its run was killed"
	}
	return item, nil
}

// kept judges an instance that was kept, and whose time is not over.
func (o *Options) kept(f incus.Found, age time.Duration) (Item, error) {
	return Item{Kind: Instance, Run: f.Run, Name: f.Name, Project: f.Project, Job: f.Job, UUID: f.UUID,
		AgeSecs: int64(age.Seconds()), found: f, Why: "it is kept until " + moment(f.KeptUntil) + " (--kept takes it)"}, nil
}

// moment is a time for a person.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// young is the age up to which a run that nobody owns may just be beginning.
const young = time.Minute

// directory judges one run directory; newest says that it is one of those that
// stay.
func (o *Options) directory(d *record.Dir, newest bool, instances []Item) (Item, error) {
	began, err := d.Began()
	if err != nil {
		return Item{}, err
	}
	live, err := d.Live()
	if err != nil {
		return Item{}, err
	}
	age := o.Now.Sub(began)
	item := Item{Kind: RunDirectory, Run: d.ID, Name: filepath.Join("runs", d.ID), AgeSecs: int64(age.Seconds())}
	switch {
	case live:
		item.Why = "the run is under way"
	case newest:
		item.Why = fmt.Sprintf("one of the newest %d (--keep)", o.Keep)
	case age < young:
		item.Why = "it may just be beginning"
	default:
		item.Remove, item.Why = o.over(d, age)
	}
	for _, i := range instances {
		if item.Remove && i.Run == d.ID && !i.Remove {
			item.Remove, item.Why = false, "its instance "+i.Name+" stays"
		}
	}
	return item, nil
}

// over judges an old directory by its journal.
func (o *Options) over(d *record.Dir, age time.Duration) (remove bool, why string) {
	past, err := d.Read()
	switch {
	case err != nil && !errors.Is(err, record.ErrNotBegun):
		return false, "its journal can't be read: " + err.Error()
	case past.Run.FinishedAt != nil:
		return true, "not one of the newest " + fmt.Sprint(o.Keep)
	case age < o.OlderThan:
		return false, "the run was killed and can be resumed (--older-than)"
	}
	return true, "the run was killed long ago"
}
