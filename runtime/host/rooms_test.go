package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A job that is tried again enters while its own room may be free: nobody else
// may have it then.
func TestARoomIsOneJobs(t *testing.T) {
	jobs := t.TempDir()
	x := New(Options{})
	enter := func(job string) *room {
		dir := filepath.Join(jobs, job)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		r, err := x.enter(dir)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first, second := enter("first"), enter("second")
	x.leave(first, true)
	x.leave(second, true)
	again, third := enter("first"), enter("third")
	for _, r := range []*room{again, third} {
		if !r.untouched() {
			t.Errorf("%s is not there, or not as it was made", r.dir)
		}
	}
	x.leave(again, true)
	x.leave(third, false)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(jobs, "*", "*")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestRoomsOfAKilledRunAreRemoved(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run[1]")
	room, other := filepath.Join(run, "jobs/a/scratch/home"), filepath.Join(run, "jobs/b/artifacts")
	if err := errors.Join(os.MkdirAll(room, 0o755), os.MkdirAll(other, 0o755), RemoveRooms(run)); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Dir(filepath.Dir(room))); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}
