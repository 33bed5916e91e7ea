package gc

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sledtools/pikaci/internal/dirlock"
	"github.com/sledtools/pikaci/runtime/host"
	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/record"
)

// shared judges what runs of the state root share by its last use.
func (o *Options) shared(dirs []*record.Dir) ([]Item, error) {
	caches, err := host.Caches(o.StateRoot)
	if err != nil {
		return nil, fmt.Errorf("list what lanes keep: %w", err)
	}
	live := map[string]string{}
	if len(caches) > 0 {
		if live, err = liveLanes(dirs); err != nil {
			return nil, err
		}
	}
	var items []Item
	for _, c := range caches {
		i := o.byUse(Item{Kind: HostCache, Name: filepath.Join("caches", c.Lane), key: c.Lane}, c.Used)
		if run := live[c.Lane]; run != "" && i.Remove {
			i.Remove, i.Why = false, "run "+run+" is under way, which has the lane"
		}
		items = append(items, i)
	}
	shells, err := nix.Shells(o.StateRoot)
	if err != nil {
		return nil, fmt.Errorf("list development shells: %w", err)
	}
	for _, s := range shells {
		items = append(items, o.byUse(Item{Kind: DevShell, Name: filepath.Join("devshells", s.Derivation), key: s.Derivation}, s.Used))
	}
	return items, nil
}

func (o *Options) byUse(i Item, used time.Time) Item {
	age := o.Now.Sub(used)
	i.AgeSecs = int64(age.Seconds())
	if age < o.CacheAge {
		i.Why = "it was used within the last " + o.CacheAge.String() + " (--cache-age)"
	} else {
		i.Remove, i.Why = true, "last used "+moment(used)
	}
	return i
}

// liveLanes are the lanes of runs that are under way, and one of the runs.
func liveLanes(dirs []*record.Dir) (map[string]string, error) {
	lanes := map[string]string{}
	for _, d := range dirs {
		live, err := d.Live()
		if err != nil {
			return nil, err
		}
		if !live {
			continue
		}
		p, err := d.Plan()
		if err != nil {
			return nil, fmt.Errorf("the plan of run %s, which is under way: %w", d.ID, err)
		}
		for _, l := range p.Lanes {
			if l.Chosen {
				lanes[l.ID] = d.ID
			}
		}
	}
	return lanes, nil
}

// collectShared removes what runs share, each under its lock. What somebody has
// taken meanwhile stays.
func (o *Options) collectShared(items []Item) error {
	since := o.Now.Add(-o.CacheAge)
	failed := errors.Join(host.RemoveHalves(o.StateRoot), nix.PruneShells(o.StateRoot, since))
	for n := range items {
		i := &items[n]
		if !i.Remove {
			continue
		}
		var err error
		switch i.Kind {
		case HostCache:
			err = host.RemoveCache(o.StateRoot, i.key, since)
		case DevShell:
			err = nix.RemoveShell(o.StateRoot, i.key, since)
		default:
			continue
		}
		switch {
		case errors.Is(err, dirlock.ErrBusy):
			i.Remove, i.Why = false, "it is in use"
		case err != nil:
			i.Error = err.Error()
			failed = errors.Join(failed, fmt.Errorf("%s: %w", i.Name, err))
		default:
			i.Removed = true
		}
	}
	return failed
}
