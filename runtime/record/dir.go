package record

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/runtime/event"
)

// Dir is the directory of one run.
type Dir struct {
	// ID is the run's id.
	ID string
	// Path is absolute.
	Path string
}

// StateRoot is where the run's directory is, with those of others.
func (d *Dir) StateRoot() string { return filepath.Dir(filepath.Dir(d.Path)) }

var runIDPattern = sync.OnceValue(func() *regexp.Regexp {
	// Not at every start of the program: its counted repeat takes long.
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
})

// NewID is a run id that sorts by time: a ULID in lower case.
func NewID(now time.Time) string {
	return strings.ToLower(ulid.MustNew(ulid.Timestamp(now), rand.Reader).String())
}

// ValidID tells whether a run may have the id.
func ValidID(id string) bool { return runIDPattern().MatchString(id) }

// Create makes the directory of a new run under the state root. It fails with
// [fs.ErrExist] where one of that id is there already.
func Create(stateRoot, id string) (*Dir, error) {
	if !ValidID(id) {
		return nil, fmt.Errorf("run id %q: want letters, digits, dot, underscore and dash, at most 64", id)
	}
	root, err := filepath.Abs(stateRoot)
	if err != nil {
		return nil, fmt.Errorf("state root %s: %w", stateRoot, err)
	}
	d := &Dir{ID: id, Path: filepath.Join(root, "runs", id)}
	if err := os.MkdirAll(filepath.Dir(d.Path), 0o755); err != nil {
		return nil, fmt.Errorf("make the state root: %w", err)
	}
	if err := os.Mkdir(d.Path, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, &existsError{d}
		}
		return nil, fmt.Errorf("make the run directory: %w", err)
	}
	if err := os.Mkdir(d.file("jobs"), 0o755); err != nil {
		return nil, fmt.Errorf("make the run directory: %w", err)
	}
	return d, nil
}

func (d *Dir) file(name ...string) string {
	return filepath.Join(append([]string{d.Path}, name...)...)
}

// WriteJSON writes a record of the run: JSON, two spaces, whole or not at all,
// and synced.
func (d *Dir) WriteJSON(name string, v any) error {
	b, err := indented(name, v)
	if err != nil {
		return err
	}
	return d.Write(name, b)
}

func indented(name string, v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", name, err)
	}
	return append(b, '\n'), nil
}

// snapshotRecord is pikaci-snapshot.json.
type snapshotRecord struct {
	SourceRoot  string    `json:"source_root"`
	GitHead     string    `json:"git_head"`
	GitDirty    bool      `json:"git_dirty"`
	CreatedAt   time.Time `json:"created_at"`
	ContentHash string    `json:"content_hash"`
}

// WriteSnapshot writes pikaci-snapshot.json, beside the snapshot.
func (d *Dir) WriteSnapshot(source string, s event.SnapshotTaken) error {
	const name = "pikaci-snapshot.json"
	b, err := indented(name, snapshotRecord{SourceRoot: source, GitHead: s.GitHead,
		GitDirty: s.GitDirty, CreatedAt: time.Now().UTC(), ContentHash: s.ContentHash})
	if err != nil {
		return err
	}
	return d.WriteReport(name, b) // the journal says the same, and is synced
}

// WriteResult writes the record of one job into its folder. The run's own holds
// it too, and is synced.
func (d *Dir) WriteResult(j JobRecord) error {
	name := resultFile(j.ID)
	b, err := indented(name, j)
	if err != nil {
		return err
	}
	err = d.WriteReport(name, b)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Of the job was nothing there yet, as it is with one that did not run.
	if err := os.MkdirAll(d.file("jobs", j.ID), 0o755); err != nil {
		return err
	}
	return d.WriteReport(name, b)
}

func resultFile(job string) string { return filepath.Join("jobs", job, "result.json") }

// Write writes a file of the run, whole or not at all: under a temporary name,
// synced, renamed.
func (d *Dir) Write(name string, b []byte) error {
	if err := atomicfile.WriteSynced(d.file(name), b, 0o644); err != nil {
		return fmt.Errorf("write %s of run %s: %w", name, d.ID, err)
	}
	return nil
}

// WriteReport writes a file that can be made again of the events: whole, or not
// at all, but without waiting for the disk.
func (d *Dir) WriteReport(name string, b []byte) error {
	return d.StreamReport(name, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// StreamReport is WriteReport for what is too long to be held in memory.
func (d *Dir) StreamReport(name string, write func(io.Writer) error) error {
	if err := atomicfile.Stream(d.file(name), 0o644, write); err != nil {
		return fmt.Errorf("write %s of run %s: %w", name, d.ID, err)
	}
	return nil
}

// existsError means that a run of that id is there already.
type existsError struct{ dir *Dir }

func (e *existsError) Error() string {
	return fmt.Sprintf("run %s is there already: %s", e.dir.ID, e.dir.Path)
}
func (e *existsError) Is(target error) bool { return target == fs.ErrExist }
