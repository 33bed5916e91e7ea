package result

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// PointsTo are the runs whose passes stand in for jobs of a run, also of one
// that goes on. What can't be read points nowhere.
func PointsTo(d *record.Dir) []string {
	var run struct {
		Jobs []struct{ Result *event.ResultLookedUp }
	}
	b, err := d.ReadFile("run.json")
	if err == nil {
		err = json.Unmarshal(b, &run)
	}
	var to []string
	add := func(l *event.ResultLookedUp) {
		if l != nil && l.Found {
			to = append(to, l.Run)
		}
	}
	if err == nil {
		for _, j := range run.Jobs {
			add(j.Result)
		}
		return to
	}
	d.Events(func(e event.Event) error { add(e.ResultLookedUp); return nil })
	return to
}

// halfAge is the age from which on a file that was never finished is nobody's.
const halfAge = time.Hour

// Prune removes pointers to runs that are not there any more, and those that are
// damaged.
func Prune(stateRoot string, now time.Time) error {
	var errs []error
	for _, dir := range []string{Dir(stateRoot), filepath.Join(Dir(stateRoot), "last")} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if name := filepath.Join(dir, e.Name()); stale(stateRoot, name, e, now) {
				if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
					errs = append(errs, err)
				}
			}
		}
	}
	return errors.Join(errs...)
}

func stale(stateRoot, name string, e fs.DirEntry, now time.Time) bool {
	if !e.Type().IsRegular() {
		return false
	}
	if strings.HasPrefix(e.Name(), ".") {
		info, err := e.Info()
		return err == nil && now.Sub(info.ModTime()) > halfAge
	}
	if filepath.Ext(e.Name()) != ".json" {
		return false
	}
	p, err := readPointer(name)
	if path := new(fs.PathError); errors.As(err, &path) {
		return false // another process has it at this moment
	}
	if err != nil {
		return true
	}
	_, err = os.Lstat(filepath.Join(stateRoot, "runs", p.Run))
	return errors.Is(err, fs.ErrNotExist)
}
