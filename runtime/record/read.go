package record

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/internal/dirlock"
)

// RootID is the state root's own id: what is made on a server for its runs
// bears it, so that of many state roots each knows its own. make makes one
// where there is none; else it is empty then.
func RootID(stateRoot string, make bool) (string, error) {
	name := filepath.Join(stateRoot, "id")
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && make {
		if err := makeRootID(stateRoot, name); err != nil {
			return "", fmt.Errorf("give the state root an id: %w", err)
		}
		b, err = os.ReadFile(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the state root's id: %w", err)
	}
	id := strings.TrimSpace(string(b))
	if !ValidID(id) {
		return "", fmt.Errorf("the state root's id in %s is not one: %.80q", name, id)
	}
	return id, nil
}

// makeRootID writes the id whole before it has its name: another process may
// do the same at the same time, and one of them wins.
func makeRootID(stateRoot, name string) error {
	if err := os.MkdirAll(stateRoot, 0o755); err != nil {
		return err
	}
	tmp := name + "." + rand.Text()
	if err := atomicfile.WriteSynced(tmp, []byte(strings.ToLower(rand.Text())+"\n"), 0o644); err != nil {
		return err
	}
	defer os.Remove(tmp)
	if err := os.Link(tmp, name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return atomicfile.SyncDir(stateRoot)
}

// Remove removes the run directory. It has another name first, so that half of
// it is never taken for a run: none has such an id. The caller owns the run.
func (l *Lock) Remove() error {
	d := l.dir
	gone := filepath.Join(filepath.Dir(d.Path), dirlock.RemovedPrefix+d.ID)
	if err := errors.Join(os.RemoveAll(gone), os.Rename(d.Path, gone), os.RemoveAll(gone)); err != nil {
		return fmt.Errorf("remove run %s: %w", d.ID, err)
	}
	return nil
}

// RemoveHalves removes what is left of directories whose removal was killed.
func RemoveHalves(stateRoot string) error {
	return dirlock.RemoveHalves(filepath.Join(stateRoot, "runs"))
}

// Ended reports whether the run ended by itself and all is recorded of it,
// without reading its journal.
func (d *Dir) Ended() bool { return d.has("run.json") }

// LastWritten is when the journal was last written to; the zero time where
// there is none.
func (d *Dir) LastWritten() time.Time {
	info, err := os.Stat(d.file("events.jsonl"))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Complete reports whether all records of a run that ended are there.
func (d *Dir) Complete(r Run) bool {
	all := d.has("run.json") && d.has("prepared-outputs.json")
	for _, j := range r.Jobs {
		// A loss of power may have left an empty one.
		info, err := os.Lstat(d.file(resultFile(j.ID)))
		all = all && (j.Verdict == "" || err == nil && info.Size() > 0)
	}
	return all
}

func (d *Dir) has(name string) bool {
	_, err := os.Lstat(d.file(name))
	return err == nil
}
