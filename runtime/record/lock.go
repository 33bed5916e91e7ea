package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Lock says that this process owns a run: only the owner writes to the run's
// directory and touches what the run made.
//
// It is a lock of the kernel on an open file: it goes with its process, however
// that ends, so there is none of a dead owner to break. It is of the kind that
// can be asked for without being taken (flock can't): who only looks never
// stands in the way of who wants to own.
type Lock struct {
	dir  *Dir
	file *os.File
}

// LiveError means that a run has an owner.
type LiveError struct {
	ID string
	// PID of the owner as it wrote it, 0 where that is not known: for a
	// person to read, not to send signals to.
	PID int
}

// Error names the run and its owner.
func (e *LiveError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("run %s is under way", e.ID)
	}
	return fmt.Sprintf("run %s is under way, in process %d", e.ID, e.PID)
}

const lockFile = "lock"

// Lock makes this process the owner of the run, or fails with a [LiveError].
func (d *Dir) Lock() (*Lock, error) {
	f, err := os.OpenFile(d.file(lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock run %s: %w", d.ID, err)
	}
	if err := d.take(f); err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{d, f}, nil
}

func (d *Dir) take(f *os.File) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return &LiveError{d.ID, d.pid()}
	}
	if err != nil {
		return fmt.Errorf("lock run %s: %w", d.ID, err)
	}
	// The one before may have removed the directory meanwhile: the lock would
	// be on a file that nobody finds.
	mine, err := f.Stat()
	if err != nil {
		return fmt.Errorf("lock run %s: %w", d.ID, err)
	}
	there, err := os.Stat(f.Name())
	if err != nil || !os.SameFile(mine, there) {
		return fmt.Errorf("run %s is removed: %w", d.ID, fs.ErrNotExist)
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("lock run %s: %w", d.ID, err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("lock run %s: %w", d.ID, err)
	}
	return nil
}

// Release gives the run up.
func (l *Lock) Release() error { return l.file.Close() }

// Live reports whether the run has an owner. It takes nothing.
func (d *Dir) Live() (bool, error) {
	f, err := os.Open(d.file(lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the lock of run %s: %w", d.ID, err)
	}
	defer f.Close()
	ask := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &ask); err != nil {
		return false, fmt.Errorf("look at the lock of run %s: %w", d.ID, err)
	}
	return ask.Type != unix.F_UNLCK, nil
}

// pid is that of the owner as it wrote it.
func (d *Dir) pid() int {
	b, err := os.ReadFile(d.file(lockFile))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}
