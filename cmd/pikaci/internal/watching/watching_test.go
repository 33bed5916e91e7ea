package watching

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestWait wants each way in which an editor may save a file to end the wait, and
// what only looks like one not to be named.
func TestWait(t *testing.T) {
	for name, tt := range map[string]struct {
		save func(t *testing.T, file string)
		want string
	}{
		"written": {func(t *testing.T, file string) { write(t, file, "more") }, "file"},
		"of the same size": {func(t *testing.T, file string) {
			write(t, file, "new")
			later := time.Now().Add(time.Second)
			if err := os.Chtimes(file, later, later); err != nil {
				t.Fatal(err)
			}
		}, "file"},
		"replaced, with its time": {func(t *testing.T, file string) {
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			write(t, file+".new", "new")
			if err := os.Chtimes(file+".new", info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(file+".new", file); err != nil {
				t.Fatal(err)
			}
		}, "file"},
		"removed": {func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}, "file"},
		"created":     {func(t *testing.T, file string) { write(t, filepath.Join(filepath.Dir(file), "other"), "") }, "other"},
		"unreadable":  {func(t *testing.T, file string) { os.Chmod(file, 0) }, "file"},
		"in a folder": {func(t *testing.T, file string) { write(t, filepath.Join(filepath.Dir(file), "unknown"), "") }, "."},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file, other := filepath.Join(dir, "file"), filepath.Join(dir, "other")
			write(t, file, "old")
			l := At([]string{dir, file, other})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			saved := make(chan bool)
			go func() { tt.save(t, file); close(saved) }()
			if l.Wait(ctx) == nil {
				t.Fatal("nothing was seen")
			}
			<-saved
			var names []string
			for _, name := range l.Changed(l.Again()) {
				rel, _ := filepath.Rel(dir, name)
				names = append(names, rel)
			}
			if !slices.Contains(names, tt.want) {
				t.Errorf("changed: %q, want %q among them", names, tt.want)
			}
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "old")
	ctx, cancel := context.WithTimeout(t.Context(), 3*interval)
	defer cancel()
	if At([]string{file}).Wait(ctx) != nil {
		t.Error("a change was seen where there was none")
	}
}

func TestTouched(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "old")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	now := At([]string{file, filepath.Join(dir, "none")})
	for _, tt := range []struct {
		earlier Look
		since   time.Time
		want    bool
	}{
		{Look{}, info.ModTime(), true},
		{Look{}, info.ModTime().Add(time.Second), false},
		{At([]string{file}), info.ModTime(), false},
	} {
		if got := now.Touched(tt.earlier, tt.since); got != tt.want {
			t.Errorf("touched since %s: %v", tt.since, got)
		}
	}
}
