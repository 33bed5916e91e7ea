package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sledtools/pikaci/internal/dirlock"
)

// Kept is what a lane keeps for its host jobs.
type Kept struct {
	Lane string
	// Used is when a job had it last.
	Used time.Time
}

// Caches are what the lanes of a state root keep.
func Caches(stateRoot string) ([]Kept, error) {
	entries, err := os.ReadDir(cachesDir(stateRoot))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []Kept
	for _, e := range entries {
		if !e.IsDir() || e.Name()[0] == '.' {
			continue
		}
		used, lookErr := dirlock.LastUsed(filepath.Join(cachesDir(stateRoot), e.Name()))
		if errors.Is(lookErr, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		err = errors.Join(err, lookErr)
		list = append(list, Kept{e.Name(), used})
	}
	return list, err
}

// RemoveCache removes what a lane keeps, if no job has had it since. What a
// killed job left running in it is ended first.
func RemoveCache(stateRoot, lane string, since time.Time) error {
	c := &cache{dir: filepath.Join(cachesDir(stateRoot), lane)}
	var err error
	if c.lock, err = dirlock.TakeUnused(c.dir, since); err != nil {
		return err
	}
	if h := c.holder(); h.Run != "" {
		if _, err := endJob(stateRoot, h.Run, h.Job); err != nil {
			return errors.Join(err, c.lock.Release())
		}
	}
	return c.lock.Remove()
}

// RemoveHalves removes what was left of caches whose removal was cut short.
func RemoveHalves(stateRoot string) error { return dirlock.RemoveHalves(cachesDir(stateRoot)) }
