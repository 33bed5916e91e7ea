package snapshot

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWatchCounts: what is told there is to copy is what Take copies, with the
// same things left out, and nothing is told after the end.
func TestWatchCounts(t *testing.T) {
	source := t.TempDir()
	for name, size := range map[string]int{"a": 1000, "build/kept": 20, "x/deep": 300, "x/build/out": 4000,
		".git/objects": 50_000, "state/run": 600_000, "named": 7_000_000} {
		at := filepath.Join(source, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(source, "link")); err != nil {
		t.Fatal(err)
	}
	f := Filter{Exclude: []string{"named"}, Avoid: filepath.Join(source, "state")}
	tree, err := TakeTree(t.Context(), source, filepath.Join(t.TempDir(), "copy"), f, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	took := tree.Result()
	if took.Bytes != 1320 {
		t.Fatal(took)
	}
	type telling struct{ bytes, total int64 }
	tellings := make(chan telling, 100)
	c := copier{filter: f, told: func(bytes, total int64) { tellings <- telling{bytes, total} }}
	if err := c.avoidDirs(f.Avoid); err != nil {
		t.Fatal(err)
	}
	c.bytes.Add(70)
	start := time.Now()
	stop := c.watch(source)
	got := <-tellings
	if passed := time.Since(start); passed < tellEvery || got != (telling{70, 0}) {
		t.Errorf("told %v after %s", got, passed)
	}
	for got.total == 0 && time.Since(start) < time.Minute {
		got = <-tellings
	}
	if got != (telling{70, took.Bytes}) {
		t.Errorf("told %v, and %d bytes are copied", got, took.Bytes)
	}
	stop()
	for len(tellings) > 0 {
		<-tellings
	}
	time.Sleep(2 * tellEvery)
	if len(tellings) > 0 {
		t.Error("told after the end")
	}
}
