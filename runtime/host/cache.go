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
	"syscall"
	"time"

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
	lock *os.File
}

func (c *cache) workspace() string { return filepath.Join(c.dir, "workspace") }
func (c *cache) own() string       { return filepath.Join(c.dir, "cache") }

// holder is who has a cache.
type holder struct{ Run, Job string }

// lookAgain is how long a job that waits for its lane's cache sleeps.
const lookAgain = 100 * time.Millisecond

// openCache takes the cache of the job's lane, and waits while another job has
// it.
func openCache(ctx context.Context, j *runtime.JobContext) (*cache, error) {
	c := &cache{dir: filepath.Join(j.StateRoot, "caches", j.Lane.ID)}
	if err := os.MkdirAll(c.own(), 0o755); err != nil {
		return nil, err
	}
	var err error
	if c.lock, err = os.OpenFile(filepath.Join(c.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, err
	}
	said := holder{}
	for {
		err := syscall.Flock(int(c.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", c.dir, err), c.lock.Close())
		}
		if h := c.holder(); h != said {
			said = h
			fmt.Fprintf(j.Logs.Host, "pikaci: wait for the cache of lane %s: job %s of run %s has it\n", j.Lane.ID, h.Job, h.Run)
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), c.lock.Close())
		}
	}
	// A name that is left is that of a pikaci that was killed; its job may
	// live on, and write where the next one works.
	if h := c.holder(); h.Run != "" {
		if err := endJob(j.StateRoot, h.Run, h.Job); err != nil {
			return nil, errors.Join(err, c.lock.Close())
		}
	}
	return c, c.note(holder{j.ID, j.Job.ID})
}

func (c *cache) holder() (h holder) {
	b, err := io.ReadAll(io.NewSectionReader(c.lock, 0, 1000))
	if err == nil {
		json.Unmarshal(b, &h)
	}
	return h
}

func (c *cache) note(h holder) error {
	b, err := json.Marshal(h)
	if err == nil {
		err = c.lock.Truncate(0)
	}
	if err == nil {
		_, err = c.lock.WriteAt(b, 0)
	}
	return err
}

// release gives the cache to the next job.
func (c *cache) release() {
	c.lock.Truncate(0)
	c.lock.Close()
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

// endJob ends what is left of one job.
func endJob(stateRoot, run, job string) error {
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
