package dirlock_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sledtools/pikaci/internal/dirlock"
)

func take(t *testing.T, dir string, shared bool) *dirlock.Lock {
	t.Helper()
	l, err := dirlock.Take(dir, shared)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAFolderIsHadByOneOrShared(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a/b")
	alone := take(t, dir, false)
	for _, shared := range []bool{false, true} {
		if l, err := dirlock.Take(dir, shared); !errors.Is(err, dirlock.ErrBusy) {
			t.Errorf("shared %v: %v", shared, err)
		} else {
			l.Release()
		}
	}
	alone.Release()
	one, two := take(t, dir, true), take(t, dir, true)
	if _, err := dirlock.TakeUnused(dir, time.Now().Add(time.Hour)); !errors.Is(err, dirlock.ErrBusy) {
		t.Errorf("taken while it is shared: %v", err)
	}
	one.Release()
	two.Release()
	take(t, dir, false).Release()
}

// What is no folder and can be none is an error, not waited for.
func TestWhatCanBeNoFolder(t *testing.T) {
	root := t.TempDir()
	file, dangling := filepath.Join(root, "file"), filepath.Join(root, "dangling")
	if err := errors.Join(os.WriteFile(file, nil, 0o644), os.Symlink("nowhere", dangling)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), dangling, filepath.Join(dangling, "below")} {
		if _, err := dirlock.Take(dir, false); err == nil || errors.Is(err, dirlock.ErrBusy) {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		}
	}
}

func TestOnlyWhatIsUnusedIsTakenToBeRemoved(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "cache")
	take(t, dir, false).Release()
	now := time.Now()
	if _, err := dirlock.TakeUnused(dir, now.Add(-time.Hour)); !errors.Is(err, dirlock.ErrBusy) {
		t.Errorf("what was used just now: %v", err)
	}
	old := now.Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "lock"), old, old); err != nil {
		t.Fatal(err)
	}
	// What its maker may not write to goes too.
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "ro/sub"), 0o755), os.Chmod(filepath.Join(dir, "ro"), 0o555)); err != nil {
		t.Fatal(err)
	}
	l, err := dirlock.TakeUnused(dir, now.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if list, _ := os.ReadDir(root); len(list) > 0 {
		t.Errorf("left %v", list)
	}
	if _, err := dirlock.TakeUnused(dir, now); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	// A folder of before there were locks has the time that it was made.
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chtimes(dir, old, old)); err != nil {
		t.Fatal(err)
	}
	if l, err = dirlock.TakeUnused(dir, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	l.Release()
}

func TestHalvesAreRemoved(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(root, ".removed-a-1/x"), 0o755), os.Mkdir(filepath.Join(root, "b"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(dirlock.RemoveHalves(root), dirlock.RemoveHalves(filepath.Join(root, "nosuch"))); err != nil {
		t.Fatal(err)
	}
	if list, _ := os.ReadDir(root); len(list) != 1 || list[0].Name() != "b" {
		t.Errorf("left %v", list)
	}
}

// Whoever has the folder has it as long as the lock is held, whatever is removed
// beside: what was written is there.
func TestNobodyLosesAFolderThatIsTaken(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	var removed, used atomic.Int32
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if l, err := dirlock.TakeUnused(dir, time.Now().Add(time.Hour)); err == nil {
					if err := l.Remove(); err != nil {
						t.Error(err)
						return
					}
					removed.Add(1)
				}
			}
		})
	}
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				l, err := dirlock.Take(dir, false)
				if errors.Is(err, dirlock.ErrBusy) {
					l.Release()
					continue
				}
				name := filepath.Join(dir, "file")
				if err == nil {
					err = os.WriteFile(name, []byte("mine"), 0o644)
				}
				if err == nil {
					_, err = os.ReadFile(name)
				}
				if err != nil {
					t.Error(err)
					return
				}
				used.Add(1)
				l.Release()
				time.Sleep(5 * time.Millisecond) // leave it to the others
			}
		})
	}
	time.Sleep(time.Second)
	close(stop)
	all.Wait()
	if removed.Load() < 10 || used.Load() < 10 {
		t.Errorf("removed %d times, used %d times", removed.Load(), used.Load())
	}
}
