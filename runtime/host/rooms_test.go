package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sledtools/pikaci/runtime/host"
)

func TestRoomsOfAKilledRunAreRemoved(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run[1]")
	room, other := filepath.Join(run, "jobs/a/scratch/home"), filepath.Join(run, "jobs/b/artifacts")
	if err := errors.Join(os.MkdirAll(room, 0o755), os.MkdirAll(other, 0o755), host.RemoveRooms(run)); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Dir(filepath.Dir(room))); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}
