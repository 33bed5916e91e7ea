package record_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/record"
)

func TestARunHasOneOwner(t *testing.T) {
	d := create(t)
	if live, err := d.Live(); live || err != nil {
		t.Fatalf("a run that nobody owns: %v, %v", live, err)
	}
	l, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	var owned *record.LiveError
	if _, err := d.Lock(); !errors.As(err, &owned) || owned.PID != os.Getpid() {
		t.Errorf("a second owner: %v", err)
	}
	if live, err := d.Live(); !live || err != nil {
		t.Errorf("its own run: %v, %v", live, err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	l, err = d.Lock()
	if err != nil {
		t.Fatalf("after the owner's end: %v", err)
	}
	defer l.Release()
}

// A directory that is removed while somebody waits for its lock is owned by
// nobody.
func TestALockOfARemovedRun(t *testing.T) {
	d := create(t)
	l, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	if err := os.RemoveAll(d.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// The owner of this test is another process, killed with no chance to say
// anything.
func TestADeadOwnersLockIsFree(t *testing.T) {
	if dir := os.Getenv("PIKACI_TEST_OWN"); dir != "" {
		d := &record.Dir{ID: "run", Path: dir}
		if _, err := d.Lock(); err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(dir, "owned"), nil, 0o644)
		time.Sleep(time.Minute)
	}
	d := create(t)
	owner := exec.Command(os.Args[0], "-test.run=^TestADeadOwnersLockIsFree$")
	owner.Env = append(os.Environ(), "PIKACI_TEST_OWN="+d.Path)
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	defer owner.Process.Kill()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(d.Path, "owned")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the other process did not take the run")
		}
	}
	var owned *record.LiveError
	if _, err := d.Lock(); !errors.As(err, &owned) || owned.PID != owner.Process.Pid {
		t.Errorf("a live owner elsewhere: %v", err)
	}
	owner.Process.Kill()
	owner.Wait()
	if live, err := d.Live(); live || err != nil {
		t.Errorf("its owner was killed: %v, %v", live, err)
	}
	l, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
}
