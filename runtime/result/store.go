package result

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// Place says what a job's result hangs on of where the job runs.
type Place interface {
	Parts(ctx context.Context, j *runtime.JobContext) ([]event.Part, error)
}

// Builds knows the outputs that earlier runs built.
type Builds interface {
	Known(r *runtime.RunContext, installable string) (storePath string, ok bool)
}

// Store is the passes of a state root. It is a runtime.Results.
type Store struct {
	// StateRoot is absolute.
	StateRoot     string
	Builds        Builds
	Guests, Hosts Place

	mu   sync.Mutex
	runs map[string]*record.Run
}

// pointer is a file of the store: which job of which run passed.
type pointer struct {
	SchemaVersion int    `json:"schema_version"`
	Run           string `json:"run"`
	Job           string `json:"job"`
}

// pointerVersion is of pointers; others are none.
const pointerVersion = 1

// Dir is where the pointers are: one for each key, and for each job one to its
// last pass.
func Dir(stateRoot string) string { return filepath.Join(stateRoot, "results") }

func keyPath(stateRoot, key string) string { return filepath.Join(Dir(stateRoot), key+".json") }
func lastPath(stateRoot, job string) string {
	return filepath.Join(Dir(stateRoot), "last", job+".json")
}

// HasLast reports whether the job ever passed here.
func (s *Store) HasLast(job string) bool {
	_, err := os.Lstat(lastPath(s.StateRoot, job))
	return err == nil
}

// Find says whether an earlier pass stands in for the job.
func (s *Store) Find(ctx context.Context, j *runtime.JobContext, command []string) (event.ResultLookedUp, bool) {
	parts, known, err := s.parts(ctx, j, command)
	switch {
	case err != nil:
		return event.ResultLookedUp{Reason: "what its result hangs on can't be told: " + err.Error()}, true
	case !known:
		return event.ResultLookedUp{}, false
	}
	l := event.ResultLookedUp{Key: Key(parts), Parts: parts}
	p, err := readPointer(keyPath(s.StateRoot, l.Key))
	if err == nil {
		l.Run = p.Run
		err = s.prove(j, p, l.Key)
	}
	if err == nil {
		l.Found = true
		return l, true
	}
	s.compare(&l, j.Job.ID, err)
	return l, true
}

// compare says why there is no pass: in what the job differs from its last one,
// or what is wrong with the one of its key.
func (s *Store) compare(l *event.ResultLookedUp, job string, missing error) {
	if !errors.Is(missing, os.ErrNotExist) {
		l.Reason = missing.Error()
		return
	}
	l.Run, l.Reason = "", "no earlier pass is known"
	p, err := readPointer(lastPath(s.StateRoot, job))
	if err != nil || p.Job != job {
		return
	}
	_, last, err := s.pass(p)
	if err != nil {
		return
	}
	if l.Differs = differing(l.Parts, last.Result.Parts); len(l.Differs) > 0 {
		l.Run, l.Reason = p.Run, ""
	}
}

// prove holds a pass against the record of its run: the job passed at its first
// attempt, with all of the same parts, in less time than it may take now, and
// what it brought back is there.
func (s *Store) prove(j *runtime.JobContext, p pointer, key string) error {
	run, job, err := s.pass(p)
	switch {
	case err != nil:
		return err
	case p.Job != j.Job.ID || job.Result.Key != key || Key(job.Result.Parts) != key:
		return fmt.Errorf("the pass in run %s has another key", p.Run)
	case job.DurationMS >= (time.Duration(j.Job.TimeoutSecs) * time.Second).Milliseconds():
		return fmt.Errorf("the pass in run %s took longer than the job may take now", p.Run)
	}
	return s.whole(j, run, job)
}

// pass is the job that a pointer names, if it is one that may stand in.
func (s *Store) pass(p pointer) (*record.Run, *record.JobRecord, error) {
	run, err := s.run(p.Run)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(run.Jobs, func(j record.JobRecord) bool { return j.ID == p.Job })
	if i < 0 || !may(run, &run.Jobs[i]) {
		return nil, nil, fmt.Errorf("run %s has no pass of the job that may stand in", p.Run)
	}
	return run, &run.Jobs[i], nil
}

// may reports whether a job's end may stand in for later ones: a pass at the
// first attempt, whose parts were known before and whose artifacts were all
// kept. A flaky pass, a failure, a timeout or a cancel never may.
func may(run *record.Run, j *record.JobRecord) bool {
	if j.Verdict != event.Passed || j.Result == nil || j.Result.Key == "" {
		return false
	}
	for _, a := range j.Artifacts {
		if a.Refused != "" {
			return false
		}
	}
	return slices.ContainsFunc(run.Nodes, func(n record.NodeRecord) bool {
		return n.ID == plan.ExecuteID(j.ID) && n.Verdict == event.Passed && n.Attempts == 1 && len(n.Retried) == 0
	})
}

// SnapshotHash is the content hash of the snapshot of a run that ended; empty
// where it is not known.
func (s *Store) SnapshotHash(run string) string {
	r, err := s.run(run)
	if err != nil || r.Snapshot == nil {
		return ""
	}
	return r.Snapshot.ContentHash
}

// maxRecord bounds what is read of a run.json, in bytes.
const maxRecord = 64 << 20

// run is the record of a run that ended; each is read once.
func (s *Store) run(id string) (*record.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil {
		return r, nil
	}
	b, err := readSmall(filepath.Join(s.StateRoot, "runs", id, "run.json"), maxRecord)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("its pass was in run %s, which is not there any more", id)
	}
	if err != nil {
		return nil, fmt.Errorf("read the run of an earlier pass: %w", err)
	}
	r := new(record.Run)
	if err := json.Unmarshal(b, r); err != nil || r.ID != id || r.SchemaVersion != record.RunSchemaVersion {
		return nil, fmt.Errorf("the record of run %s, of an earlier pass, is damaged", id)
	}
	if s.runs == nil {
		s.runs = make(map[string]*record.Run)
	}
	s.runs[id] = r
	return r, nil
}

// maxPointer bounds a pointer, in bytes.
const maxPointer = 4 << 10

// readPointer reads a pointer. One that is damaged is as good as none.
func readPointer(name string) (pointer, error) {
	b, err := readSmall(name, maxPointer)
	if err != nil {
		return pointer{}, err
	}
	return decodePointer(b)
}

func decodePointer(b []byte) (p pointer, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&p) != nil || p.SchemaVersion != pointerVersion || !record.ValidID(p.Run) || p.Job == "" {
		return pointer{}, errors.New("what is kept of an earlier pass is damaged")
	}
	return p, nil
}

func readSmall(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is over %d bytes", name, limit)
	}
	return b, err
}
