package group

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Locks are the groups of a host.
type Locks struct {
	// Dir holds a file for each group.
	Dir string
	// Holder is written into the files of groups that are held: for people.
	Holder string
}

// HostDir is the folder that all processes of the host share. It is made where
// it is missing; other users may lock there too.
func HostDir() (string, error) {
	for _, parent := range []string{"/run/lock", os.TempDir()} {
		dir := filepath.Join(parent, "pikaci")
		if err := os.Mkdir(dir, 0o777); err == nil {
			// Past the umask; sticky, so that nobody removes another's file.
			return dir, os.Chmod(dir, 0o777|fs.ModeSticky)
		}
		if info, err := os.Lstat(dir); err == nil && info.IsDir() {
			return dir, nil
		}
	}
	return "", errors.New("no folder for locks in /run/lock or the temporary folder")
}

// Take takes the group until release is called, or says who has it.
func (l *Locks) Take(name string) (release func(), holder string, err error) {
	f, err := l.open(name)
	if err != nil {
		return nil, "", fmt.Errorf("lock concurrency group %q: %w", name, err)
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		defer f.Close()
		b, _ := io.ReadAll(io.LimitReader(f, 200))
		return nil, strings.ToValidUTF8(string(b), "?"), nil
	case err != nil:
		f.Close()
		return nil, "", fmt.Errorf("lock concurrency group %q: %w", name, err)
	}
	if err := f.Truncate(0); err == nil {
		f.WriteAt([]byte(l.Holder), 0)
	}
	return func() { f.Truncate(0); f.Close() }, "", nil
}

// open opens the group's file, which stays when nobody holds it: one that is
// removed could be locked twice.
func (l *Locks) open(name string) (*os.File, error) {
	sum := sha256.Sum256([]byte(name))
	path := filepath.Join(l.Dir, hex.EncodeToString(sum[:16])+".lock")
	// Not created where it is there: in a folder that all may write to, the
	// kernel refuses that for a file of another user.
	for range 2 {
		f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			if err == nil {
				err = f.Chmod(0o666)
			}
			return f, err
		}
	}
	return nil, fs.ErrExist
}
