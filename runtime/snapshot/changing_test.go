package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/snapshot"
)

func TestStateRootInTheTreeIsAvoided(t *testing.T) {
	for name, spell := range map[string]func(source string) string{
		"absolute": func(s string) string { return s + "/var/state" },
		"unclean":  func(s string) string { return s + "/var/../var/./state/" },
		"relative": func(s string) string { t.Chdir(s); return "var/state" },
		"over a link": func(s string) string {
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(s, link); err != nil {
				t.Fatal(err)
			}
			return link + "/var/state"
		},
	} {
		t.Run(name, func(t *testing.T) {
			source := t.TempDir()
			write(t, source, map[string]string{"a": "", "var/b": "", "var/state/runs/r/c": "", "var/state2/d": ""})
			target, _ := take(t, source, snapshot.Filter{Avoid: spell(source)})
			if got := paths(t, target); !slices.Equal(got, []string{"a", "var/b", "var/state2/d"}) {
				t.Errorf("kept %q", got)
			}
		})
	}
}

func TestStateRootThatIsNotThere(t *testing.T) {
	source := t.TempDir()
	write(t, source, map[string]string{"a": ""})
	if target, _ := take(t, source, snapshot.Filter{Avoid: "/not/there"}); len(paths(t, target)) != 1 {
		t.Error("nothing was copied")
	}
}

// TestTargetInTheTree would never end if the copy copied itself.
func TestTargetInTheTree(t *testing.T) {
	source := t.TempDir()
	write(t, source, map[string]string{"a": "", "z/b": ""})
	target := filepath.Join(source, "out")
	if _, err := snapshot.Take(t.Context(), source, target, snapshot.Filter{}); err != nil {
		t.Fatal(err)
	}
	if got := paths(t, target); !slices.Equal(got, []string{"a", "z/b"}) {
		t.Errorf("kept %q", got)
	}
}

func TestDeepAndWideTrees(t *testing.T) {
	source := t.TempDir()
	deep := strings.Repeat("deep/", 300)
	write(t, source, map[string]string{deep + "file": "x"})
	for i := range 100 {
		write(t, source, map[string]string{fmt.Sprintf("wide/%d/a/file", i): "x", fmt.Sprintf("wide/%d/file", i): ""})
	}
	target, r := take(t, source, snapshot.Filter{})
	if got := paths(t, target); !slices.Equal(got, paths(t, source)) || r.Files != 201 || r.Bytes != 101 {
		t.Errorf("%d paths, %+v", len(got), r)
	}
}

func TestCancel(t *testing.T) {
	why := errors.New("enough")
	source := t.TempDir()
	write(t, source, map[string]string{"dir/large": "", "dir/small": "x"})
	if err := os.Truncate(filepath.Join(source, "dir/large"), 64<<30); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, 50 * time.Millisecond} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if after == 0 {
			cancel(why)
		} else {
			time.AfterFunc(after, func() { cancel(why) })
		}
		start := time.Now()
		target := filepath.Join(t.TempDir(), "copy")
		if _, err := snapshot.Take(ctx, source, target, snapshot.Filter{}); err != why {
			t.Errorf("after %v: got %v", after, err)
		}
		if took := time.Since(start); took > after+5*time.Second {
			t.Errorf("after %v: took %v", after, took)
		}
		os.RemoveAll(target)
	}
}

// TestTreeThatChangesUnderway swaps an entry for a link that leads out of the
// tree, a pipe and nothing, all the time: a copy is whole or says what was
// changed, never waits, and has nothing from outside.
func TestTreeThatChangesUnderway(t *testing.T) {
	source, outside := t.TempDir(), t.TempDir()
	write(t, outside, map[string]string{"secret": "from outside", "dir/secret": "from outside"})
	write(t, source, map[string]string{"dir/sub/file": "inside", "dir/file": "inside"})
	p := func(name string) string { return filepath.Join(source, name) }
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.Remove(p("dir/file"))
			os.Symlink(outside+"/secret", p("dir/file"))
			os.Rename(p("dir/sub"), p("away"))
			os.Symlink(outside+"/dir", p("dir/sub"))
			os.Remove(p("dir/file"))
			syscall.Mkfifo(p("dir/file"), 0o644)
			os.Remove(p("dir/file"))
			os.Remove(p("dir/sub"))
			os.Rename(p("away"), p("dir/sub"))
			os.WriteFile(p("dir/file"), []byte("inside"), 0o644)
		}
	})
	targets, failures := t.TempDir(), 0
	for i := range 500 {
		target := filepath.Join(targets, fmt.Sprint(i))
		if _, err := snapshot.Take(t.Context(), source, target, snapshot.Filter{}); err != nil {
			failures++
			if !strings.HasPrefix(err.Error(), "copy ") || !strings.Contains(err.Error(), "changed while") {
				t.Errorf("not clear: %v", err)
			}
		}
		for _, name := range paths(t, target) {
			full := filepath.Join(target, name)
			if info, err := os.Lstat(full); err != nil || info.Mode()&os.ModeSymlink != 0 {
				continue
			}
			if b, err := os.ReadFile(full); err != nil || strings.Contains(string(b), "outside") {
				t.Fatalf("%s holds %q: %v", name, b, err)
			}
		}
	}
	close(stop)
	swapping.Wait()
	t.Logf("%d of 500 copies met a change", failures)
}
