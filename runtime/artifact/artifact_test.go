package artifact_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/artifact"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// bench is a job whose artifacts are kept, and what was told of them.
type bench struct {
	task runtime.Task
	told []string
}

func newBench(t *testing.T, globs ...string) *bench {
	b := new(bench)
	b.task = runtime.Task{Attempt: 1, Jobs: []*runtime.JobContext{{Job: &plan.Job{ID: "j", Artifacts: globs}, Dir: t.TempDir(),
		Limits: runtime.Limits{ArtifactBytes: 100, ArtifactFiles: 3}}},
		Emit: func(e event.Event) error {
			a := e.Artifact
			b.told = append(b.told, strings.TrimSuffix(fmt.Sprintf("%s %d %s", a.Path, a.Bytes, a.Refused), " "))
			return nil
		}}
	return b
}

func (b *bench) open(t *testing.T) *artifact.Store {
	s, err := artifact.Open(b.task)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestGlobs(t *testing.T) {
	s := newBench(t, "*.xml", "logs/**/*.log", "{a,b}/c?").open(t)
	for name, want := range map[string]bool{"a.xml": true, "d/a.xml": false, "logs/x.log": true, "logs/a/b/x.log": true,
		"x.log": false, "a/cd": true, "c/cd": false, "../a.xml": false, ".xml": true} {
		if s.Wanted(name) != want {
			t.Errorf("%s: wanted is %v", name, !want)
		}
	}
}

func TestNamesThatAreNotKept(t *testing.T) {
	b := newBench(t, "**")
	s := b.open(t)
	outside := filepath.Join(b.task.Job().Dir, "outside")
	for _, name := range []string{"../outside", "/etc/x", "a/../../outside", "./a", "a//b", "a/", "", ".", "..", "a\\b", "a\nb", "a\x00b", "a/./b"} {
		if err := s.Put(name, 1, strings.NewReader("x")); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if last := b.told[len(b.told)-1]; !strings.Contains(last, "not a clean path") {
			t.Errorf("%q: told %q", name, last)
		}
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("a file was made outside")
	}
}

func TestAFolderThatBecameALinkIsNotFollowed(t *testing.T) {
	b := newBench(t, "**")
	s := b.open(t)
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(b.task.Job().ArtifactsDir(), "d")); err != nil {
		t.Fatal(err)
	}
	s.Put("d/x", 1, strings.NewReader("x"))
	if list, _ := os.ReadDir(dir); len(list) > 0 {
		t.Errorf("made %v", list)
	}
}

func TestCeilings(t *testing.T) {
	b := newBench(t, "**")
	s := b.open(t)
	for name, size := range map[string]int64{"negative": -1, "large": 101, "wraps": 1<<63 - 1} {
		s.Put(name, size, strings.NewReader(""))
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		s.Put(name, 33, strings.NewReader(strings.Repeat("x", 33)))
	}
	s.Put("e", 1, strings.NewReader("x"))
	kept := slices.DeleteFunc(b.told, func(s string) bool { return strings.Contains(s, "over the runner's ceiling of 100 bytes or 3 files") })
	if !slices.Equal(kept, []string{"a 33", "b 33", "c 33"}) {
		t.Errorf("%q", kept)
	}
}

func TestOnlyTheFirstRefusalsAreTold(t *testing.T) {
	b := newBench(t, "**")
	s := b.open(t)
	for i := range 1000 {
		s.Refuse(fmt.Sprintf("%d", i), 0, "why not")
	}
	s.Refuse(strings.Repeat("x", 1<<20)+"\xff", 0, "why not")
	if len(b.told) != 100 {
		t.Errorf("told %d", len(b.told))
	}
}

func TestTheSameFileOnceMoreIsPassedOver(t *testing.T) {
	b := newBench(t, "**")
	s := b.open(t)
	for range 2 {
		if err := s.Put("dir/a", 5, strings.NewReader("hello")); err != nil {
			t.Fatal(err)
		}
	}
	s.Put("dir/a/b", 5, strings.NewReader("hello"))
	if !slices.Equal(b.told, []string{"dir/a 5", "dir/a/b 5 its folder is a file"}) {
		t.Errorf("%q", b.told)
	}
}

func TestAFileThatIsCutOffIsNotKept(t *testing.T) {
	b := newBench(t, "**")
	s := b.open(t)
	cut := errors.New("the connection is gone")
	err := s.Put("a", 10, io.MultiReader(strings.NewReader("half"), failing{cut}))
	if !errors.Is(err, cut) {
		t.Errorf("%v", err)
	}
	if list, _ := os.ReadDir(b.task.Job().ArtifactsDir()); len(list) > 0 || len(b.told) > 0 {
		t.Errorf("kept %v, told %q", list, b.told)
	}
	if err := s.Put("a", 5, strings.NewReader("whole")); err != nil || !slices.Equal(b.told, []string{"a 5"}) {
		t.Errorf("%v, told %q", err, b.told)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestTheFolderOfAnEarlierAttemptIsKept(t *testing.T) {
	b := newBench(t, "**")
	b.open(t).Put("a", 5, strings.NewReader("first"))
	b.task.Attempt = 2
	b.open(t).Put("a", 6, strings.NewReader("second"))
	for name, want := range map[string]string{"artifacts.1/a": "first", "artifacts/a": "second"} {
		if got, _ := os.ReadFile(filepath.Join(b.task.Job().Dir, name)); string(got) != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAFolderOfTheHost(t *testing.T) {
	b := newBench(t, "**")
	dir := t.TempDir()
	for name, content := range map[string]string{"a": "1", "d/b": "22"} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "folder")); err != nil {
		t.Fatal(err)
	}
	if err := b.open(t).CollectDir(dir); err != nil {
		t.Fatal(err)
	}
	want := []string{"a 1", "d/b 2", "folder 0 not a regular file", "link 0 not a regular file"}
	if !slices.Equal(b.told, want) {
		t.Errorf("%q", b.told)
	}
}
