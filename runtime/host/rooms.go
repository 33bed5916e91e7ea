package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// room is a job's own folders: it has them from its beginning to its end.
//
//	<run>/jobs/<job>/scratch/workspace  a copy of the snapshot
//	<run>/jobs/<job>/scratch/artifacts  PIKACI_ARTIFACTS
//	<run>/jobs/<job>/scratch/home       HOME
type room struct {
	dir string
	// made is what a folder of it was when it was made.
	made *syscall.Stat_t
}

func (r *room) workspace() string { return filepath.Join(r.dir, "workspace") }
func (r *room) artifacts() string { return filepath.Join(r.dir, "artifacts") }
func (r *room) home() string      { return filepath.Join(r.dir, "home") }

func (r *room) folders() [3]string { return [3]string{r.workspace(), r.artifacts(), r.home()} }

// enter gives the job in that folder a room: one that another job left as it
// was made, where there is one, since folders take longer to make and to remove
// than short commands to run.
func (x *Executor) enter(jobDir string) (*room, error) {
	r := &room{dir: filepath.Join(jobDir, "scratch")}
	if left := x.takeRoom(r.dir); left != nil {
		r.made = left.made
		if syscall.Rename(left.dir, r.dir) == nil {
			return r, nil
		}
		os.RemoveAll(left.dir)
	}
	if err := r.make(); err != nil {
		os.RemoveAll(r.dir)
		return nil, err
	}
	return r, nil
}

func (r *room) make() error {
	// An attempt that could not be carried out may have left one.
	if err := errors.Join(os.RemoveAll(r.dir), os.MkdirAll(r.dir, 0o755)); err != nil {
		return err
	}
	for _, path := range r.folders() {
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
	}
	r.made = new(syscall.Stat_t)
	return syscall.Lstat(r.home(), r.made)
}

// leave ends the job's time in its room. Where nothing of the job goes on it is
// the next one's, if it is as it was made.
func (x *Executor) leave(r *room, nobody bool) {
	if nobody && r.untouched() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.rooms = append(x.rooms, r)
		return
	}
	os.RemoveAll(r.dir)
}

// takeRoom takes a room that no job has; nil where there is none. It is the one
// in that folder, if there is one: a job that is tried again left it there.
func (x *Executor) takeRoom(dir string) *room {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.rooms) == 0 {
		return nil
	}
	i := max(0, slices.IndexFunc(x.rooms, func(r *room) bool { return r.dir == dir }))
	r := x.rooms[i]
	x.rooms = slices.Delete(x.rooms, i, i+1)
	return r
}

// Close removes the rooms that no job has.
func (x *Executor) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for _, r := range x.rooms {
		errs = append(errs, os.RemoveAll(r.dir))
	}
	x.rooms = nil
	return errors.Join(errs...)
}

// RemoveRooms removes the rooms that a pikaci left in the directory of a run
// when it was killed.
func RemoveRooms(runDir string) error {
	left, err := fs.Glob(os.DirFS(runDir), "jobs/*/scratch")
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(filepath.Join(runDir, dir)))
	}
	return err
}

// untouched reports whether the room is as it was made.
func (r *room) untouched() bool {
	if !holds(r.dir, r.made, len(r.folders())) {
		return false
	}
	for _, path := range r.folders() {
		if !holds(path, r.made, 0) {
			return false
		}
	}
	return true
}

// holds reports whether the folder has so many entries, and is its owner's as
// it was made.
func holds(path string, made *syscall.Stat_t, entries int) bool {
	// Not by os: its files are made ready for much that a folder never needs.
	d, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(d)
	var now syscall.Stat_t
	if err := syscall.Fstat(d, &now); err != nil || now.Mode != made.Mode || now.Uid != made.Uid || now.Gid != made.Gid {
		return false
	}
	var list [512]byte
	for {
		n, err := syscall.ReadDirent(d, list[:])
		if err != nil {
			return false
		}
		if n == 0 {
			return entries == 0
		}
		_, found, _ := syscall.ParseDirent(list[:n], -1, nil)
		entries -= found
	}
}
