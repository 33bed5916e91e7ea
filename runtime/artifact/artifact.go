// Package artifact keeps the files that a job gives back. Names, sizes and
// contents are a guest's and hostile: every write goes through os.Root, and
// what breaks a limit is refused and told of, never an error of the job.
package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
)

// Store takes the artifacts of one job.
type Store struct {
	job   *runtime.JobContext
	emit  func(event.Event) error
	root  *os.Root
	bytes int64
	// kept are the files that are there, by name.
	kept map[string]bool
	told int
}

// maxRefusals is how many refused files are told of; a guest can make any
// number of them.
const maxRefusals = 100

// Open makes the job's artifacts folder. That of an earlier attempt is kept
// beside it, as artifacts.1 and so on.
func Open(t runtime.Task) (*Store, error) {
	j := t.Job()
	dir := j.ArtifactsDir()
	if t.Attempt > 1 {
		err := os.Rename(dir, fmt.Sprintf("%s.%d", dir, t.Attempt-1))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("keep the earlier attempt's artifacts: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the artifacts folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the artifacts folder: %w", err)
	}
	return &Store{job: j, emit: t.Emit, root: root, kept: map[string]bool{}}, nil
}

// Close ends the taking.
func (s *Store) Close() error { return s.root.Close() }

// Wanted reports whether the job's globs ask for the file.
func (s *Store) Wanted(name string) bool {
	for _, glob := range s.job.Job.Artifacts {
		if ok, _ := doublestar.Match(glob, name); ok {
			return true
		}
	}
	return false
}

// Put keeps one file. name has slashes and is relative to PIKACI_ARTIFACTS. One
// that was kept before is passed over: a guest sends all again after a lost
// connection. A file that is refused is told of and no error; an error means
// that the host can't keep files, or that content ended early.
func (s *Store) Put(name string, size int64, content io.Reader) error {
	if s.kept[name] {
		return nil
	}
	if why := s.refusal(name, size); why != "" {
		return s.Refuse(name, size, why)
	}
	if err := s.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return s.Refuse(name, size, "its folder is a file")
	}
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return s.Refuse(name, size, "there already")
	}
	if err != nil {
		return fmt.Errorf("keep artifact %s: %w", name, err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(content, size))
	if err = errors.Join(err, f.Close()); err != nil {
		s.root.Remove(name)
		return fmt.Errorf("keep artifact %s: %w", name, err)
	}
	s.bytes += n
	s.kept[name] = true
	return s.emit(event.Event{Artifact: &event.Artifact{Job: s.job.Job.ID, Path: name, Bytes: n,
		SHA256: hex.EncodeToString(h.Sum(nil))}})
}

// Refuse tells of a file that is not kept.
func (s *Store) Refuse(name string, size int64, why string) error {
	if s.told++; s.told > maxRefusals {
		return nil
	}
	name = strings.ToValidUTF8(name[:min(len(name), 1000)], "?")
	return s.emit(event.Event{Artifact: &event.Artifact{Job: s.job.Job.ID, Path: name, Bytes: size, Refused: why}})
}

func (s *Store) refusal(name string, size int64) string {
	limits := s.job.Limits
	switch {
	case !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\x00\\\n"):
		return "not a clean path inside the artifacts folder"
	case size < 0 || size > limits.ArtifactBytes-s.bytes:
		return s.Ceilings()
	case len(s.kept) >= limits.ArtifactFiles:
		return s.Ceilings()
	}
	return ""
}

// Ceilings says why a file is too much.
func (s *Store) Ceilings() string {
	l := s.job.Limits
	return fmt.Sprintf("over the runner's ceiling of %d bytes or %d files", l.ArtifactBytes, l.ArtifactFiles)
}

// CollectDir keeps the files of a folder of the host that the job's globs ask
// for. Symlinks and special files are refused.
func (s *Store) CollectDir(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return s.Refuse(name, 0, "can't be read")
		case d.IsDir() || !s.Wanted(name):
			return nil
		case !d.Type().IsRegular():
			return s.Refuse(name, 0, "not a regular file")
		}
		return s.collect(root, name)
	})
}

func (s *Store) collect(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return s.Refuse(name, 0, "can't be read")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return s.Refuse(name, 0, "not a regular file")
	}
	return s.Put(name, info.Size(), f)
}
