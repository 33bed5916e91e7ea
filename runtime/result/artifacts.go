package result

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/artifact"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// openArtifacts opens the folder of what a job of a run brought back.
func (s *Store) openArtifacts(run, job string) (*os.Root, error) {
	return os.OpenRoot(filepath.Join(s.StateRoot, "runs", run, "jobs", job, "artifacts"))
}

// whole is an error where what a pass brought back is not all there as it was,
// or is more than this host keeps now.
func (s *Store) whole(j *runtime.JobContext, run *record.Run, job *record.JobRecord) error {
	if len(job.Artifacts) == 0 {
		return nil
	}
	var bytes int64
	root, err := s.openArtifacts(run.ID, job.ID)
	for i := 0; err == nil && i < len(job.Artifacts); i++ {
		bytes += job.Artifacts[i].Bytes
		err = same(root, job.Artifacts[i])
	}
	if root != nil {
		root.Close()
	}
	if err != nil {
		return fmt.Errorf("the artifacts of the pass in run %s: %w", run.ID, err)
	}
	if bytes > j.Limits.ArtifactBytes || len(job.Artifacts) > j.Limits.ArtifactFiles {
		return fmt.Errorf("the artifacts of the pass in run %s are over the runner's ceiling now", run.ID)
	}
	return nil
}

// same is an error where an artifact is not what was recorded.
func same(root *os.Root, a event.Artifact) error {
	f, err := root.Open(a.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, a.Bytes+1))
	if err == nil && (n != a.Bytes || hex.EncodeToString(h.Sum(nil)) != a.SHA256) {
		err = changed(a)
	}
	return err
}

// Take gives the task's job the artifacts of the pass that was found: copies,
// held once more against what was recorded.
func (s *Store) Take(ctx context.Context, t runtime.Task, l event.ResultLookedUp) error {
	run, err := s.run(l.Run)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(run.Jobs, func(j record.JobRecord) bool { return j.ID == l.Job })
	if i < 0 || len(run.Jobs[i].Artifacts) == 0 {
		return nil
	}
	return runtime.Phase(t.Emit, event.PhaseStarted{Phase: event.Artifacts, Job: l.Job}, func() error {
		store, err := artifact.Open(t)
		if err != nil {
			return err
		}
		defer store.Close()
		root, err := s.openArtifacts(l.Run, l.Job)
		if err != nil {
			return err
		}
		defer root.Close()
		for _, a := range run.Jobs[i].Artifacts {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := put(store, root, a); err != nil {
				return fmt.Errorf("take over the artifacts of run %s: %w", l.Run, err)
			}
		}
		return nil
	})
}

// put keeps one file, and gives an error where it is not what was recorded.
func put(store *artifact.Store, root *os.Root, a event.Artifact) error {
	f, err := root.Open(a.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if err := store.Put(a.Path, a.Bytes, io.TeeReader(f, h)); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != a.SHA256 {
		return changed(a)
	}
	return nil
}

func changed(a event.Artifact) error { return fmt.Errorf("%s is not what it was", a.Path) }
