package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sledtools/pikaci/internal/dirlock"
	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/snapshot"
)

// cache is what a lane keeps for its host jobs from run to run. It is held
// while one of them runs.
//
//	<state root>/caches/<lane>/lock       who has it; a lock of the kernel
//	<state root>/caches/<lane>/workspace  the snapshot, and what builds made in it
//	<state root>/caches/<lane>/files.json what snapshots put there
//	<state root>/caches/<lane>/cache      PIKACI_CACHE
type cache struct {
	dir  string
	lock *dirlock.Lock
	// left is the job of a pikaci that was killed while it had the cache; it may
	// live on, and write where the next one works.
	left holder
}

func (c *cache) workspace() string { return filepath.Join(c.dir, "workspace") }
func (c *cache) own() string       { return filepath.Join(c.dir, "cache") }

// holder is who has a cache.
type holder struct{ Run, Job string }

func (h holder) String() string { return "job " + h.Job + " of run " + h.Run }

// cachesDir holds the caches of a state root, by lane.
func cachesDir(stateRoot string) string { return filepath.Join(stateRoot, "caches") }

// Hold takes the cache of the job's lane for the job, until release is called,
// or says who has it. It waits for nothing.
func (x *Executor) Hold(j *runtime.JobContext) (release func(), by string, err error) {
	c, by, err := takeCache(j)
	if c == nil {
		return nil, by, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.held[j.Job.ID] = c
	return func() {
		x.mu.Lock()
		delete(x.held, j.Job.ID)
		x.mu.Unlock()
		c.release()
	}, "", nil
}

func (x *Executor) heldFor(job string) *cache {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.held[job]
}

// takeCache takes the cache of the job's lane, or says who has it.
func takeCache(j *runtime.JobContext) (*cache, string, error) {
	c := &cache{dir: filepath.Join(cachesDir(j.StateRoot), j.Lane.ID)}
	var err error
	c.lock, err = dirlock.Take(c.dir, false)
	if errors.Is(err, dirlock.ErrBusy) {
		defer c.lock.Release()
		return nil, c.holder().String(), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("lock %s: %w", c.dir, err)
	}
	// Until its job is ended, the name of one that was killed stays there.
	if c.left = c.holder(); c.left.Run == "" {
		err = c.note(holder{j.ID, j.Job.ID})
	}
	if err != nil {
		return nil, "", errors.Join(err, c.lock.Release())
	}
	return c, "", nil
}

func (c *cache) holder() (h holder) {
	b, err := io.ReadAll(io.NewSectionReader(c.lock.File, 0, 1000))
	if err == nil {
		json.Unmarshal(b, &h)
	}
	return h
}

func (c *cache) note(h holder) error {
	b, err := json.Marshal(h)
	if err == nil {
		err = c.lock.File.Truncate(0)
	}
	if err == nil {
		_, err = c.lock.File.WriteAt(b, 0)
	}
	return err
}

// release gives the cache to the next job.
func (c *cache) release() {
	if c.left.Run == "" {
		c.lock.File.Truncate(0)
	}
	c.lock.Touch()
	c.lock.Release()
}

// ready ends what a killed job left in the cache, and makes its folders.
func (c *cache) ready(j *runtime.JobContext) error {
	if c.left.Run != "" {
		if _, err := endJob(j.StateRoot, c.left.Run, c.left.Job); err != nil {
			return err
		}
		if err := c.note(holder{j.ID, j.Job.ID}); err != nil {
			return err
		}
		c.left = holder{}
	}
	return os.MkdirAll(c.own(), 0o755)
}

// refresh makes the kept workspace hold the snapshot.
func (c *cache) refresh(ctx context.Context, j *runtime.JobContext) error {
	list := filepath.Join(c.dir, "files.json")
	var before []string
	if b, err := os.ReadFile(list); err == nil && json.Unmarshal(b, &before) != nil {
		// Nobody knows what of the workspace is a snapshot's: begin anew.
		if err := os.RemoveAll(c.workspace()); err != nil {
			return err
		}
	}
	now, err := snapshot.Paths(j.Workspace())
	if err != nil {
		return err
	}
	// Until it is done, the list holds both: what a killed refresh wrote is
	// known to the next one.
	if err := writeList(list, append(before, now...)); err != nil {
		return err
	}
	did, err := snapshot.Refresh(ctx, j.Workspace(), c.workspace(), before)
	if err != nil {
		return err
	}
	fmt.Fprintf(j.Logs.Host, "pikaci: the kept workspace of lane %s: %d entries as they were, %d written, %d removed\n",
		j.Lane.ID, did.Kept, did.Written, did.Removed)
	return writeList(list, now)
}

func writeList(name string, paths []string) error {
	b, err := json.Marshal(paths)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// endJob ends what is left of one job, and tells what that was.
func endJob(stateRoot, run, job string) (ended []string, err error) {
	return endLeft(stateRoot, fmt.Sprintf("job %s of run %s", job, run), func(l Left) bool { return l.Run == run && l.Job == job })
}

// devShellEnv is what a development shell says of the environment. Its search
// path stands before the host's, as in nix develop.
func devShellEnv(shell map[string]string, env map[string]string) {
	for name, value := range shell {
		if _, set := env[name]; !set {
			env[name] = value
		}
	}
	if path := shell["PATH"]; path != "" {
		env["PATH"] = strings.TrimSuffix(path+":"+env["PATH"], ":")
	}
}
