package gc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/result"
)

// Collect removes what Plan said goes, and writes into the items what came of
// it. Of each run it first becomes the owner: one that is resumed meanwhile is
// left alone, and none can be resumed while its things go.
func Collect(ctx context.Context, o Options, items []Item) error {
	byRun := map[string][]*Item{}
	var runs []string
	for i := range items {
		if !items[i].Remove || items[i].Kind == HostCache || items[i].Kind == DevShell {
			continue
		}
		if byRun[items[i].Run] == nil {
			runs = append(runs, items[i].Run)
		}
		byRun[items[i].Run] = append(byRun[items[i].Run], &items[i])
	}
	failed := record.RemoveHalves(o.StateRoot)
	for _, run := range runs {
		if err := o.collect(ctx, run, byRun[run]); err != nil && failed == nil {
			failed = err
		}
	}
	if err := result.Prune(o.StateRoot, o.Now); failed == nil {
		failed = err
	}
	if o.Run == "" {
		failed = errors.Join(failed, o.collectShared(items))
	}
	return failed
}

// collect removes things of one run: instances first, and its directory only
// once they are gone.
func (o *Options) collect(ctx context.Context, run string, items []*Item) error {
	lock, err := o.own(run)
	if lock != nil {
		defer lock.Release()
	}
	for _, i := range items {
		switch {
		case err != nil:
		case i.Kind == Instance:
			err = o.Server.Remove(ctx, i.found)
		case i.Kind == Process && lock != nil:
			err = i.left.End(o.StateRoot)
		case lock != nil:
			err = lock.Remove()
		}
		if err != nil {
			i.Error = err.Error()
			continue
		}
		i.Removed = true
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", run, err)
	}
	return nil
}

// KeptOver are the runs of which an instance was kept whose time is over, as far
// as is noted. It asks no server, and reads no journal.
func KeptOver(stateRoot string, now time.Time) []string {
	var over []string
	for run, until := range record.KeptRuns(stateRoot) {
		if !until.After(now) {
			over = append(over, run)
		}
	}
	slices.Sort(over)
	return over
}

// own becomes the run's owner; nil where it has no directory.
func (o *Options) own(run string) (*record.Lock, error) {
	d, err := record.Open(o.StateRoot, run)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return d.Lock()
}

// sweptFile says, in a killed run's directory, that its instances are gone.
const sweptFile = "swept"

// Dead are the runs that were killed at least this long ago and have instances
// as far as their journals tell. It asks no server, and of runs that ended by
// themselves it reads nothing.
func Dead(stateRoot string, ago time.Duration, now time.Time) []string {
	dirs, err := record.List(stateRoot)
	if err != nil {
		return nil
	}
	var dead []string
	for _, d := range dirs {
		if d.Ended() {
			continue
		}
		journal, err := os.Stat(filepath.Join(d.Path, "events.jsonl"))
		if err != nil || now.Sub(journal.ModTime()) < ago {
			continue
		}
		if swept, err := os.Stat(filepath.Join(d.Path, sweptFile)); err == nil && swept.ModTime().After(journal.ModTime()) {
			continue
		}
		if live, err := d.Live(); err != nil || live {
			continue
		}
		if past, err := d.Read(); err == nil && len(past.Run.Leases) > 0 {
			dead = append(dead, d.ID)
		}
	}
	return dead
}

// Sweep takes back the instances of dead runs, and remembers that it did.
func Sweep(ctx context.Context, o Options, dead []string) error {
	var errs []error
	for _, run := range dead {
		one := o
		one.Run, one.Keep = run, 1<<30
		items, err := Plan(ctx, one)
		if err == nil {
			err = Collect(ctx, one, items)
		}
		if err == nil {
			err = noteSwept(o.StateRoot, run)
		}
		// Without a directory nobody can tell whose it is: that is for gc --orphans.
		stays := slices.ContainsFunc(items, func(i Item) bool { return i.Kind == Instance && !i.Removed })
		if gone := errors.Is(err, fs.ErrNotExist); gone || err == nil && !stays {
			err = record.ForgetKept(o.StateRoot, run)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// noteSwept notes that nothing of the run's is to be taken back any more; what
// was kept is noted elsewhere.
func noteSwept(stateRoot, run string) error {
	return os.WriteFile(filepath.Join(stateRoot, "runs", run, sweptFile), nil, 0o644)
}
