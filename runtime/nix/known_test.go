package nix_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/payload"
)

// later is another run of the same state root, with a snapshot of its own.
func (b *bench) later(id, hash string) *bench {
	l := &bench{t: b.t, run: runtime.NewRunContext(b.run.StateRoot, id, "")}
	l.run.SnapshotHash = hash
	if err := os.MkdirAll(l.run.Dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.CopyFS(l.run.Snapshot, os.DirFS(b.run.Snapshot)); err != nil {
		b.t.Fatal(err)
	}
	return l
}

func TestAnOutputOfAnEqualSnapshotCostsNoCallOfNix(t *testing.T) {
	origin := newBench(t)
	origin.run.StateRoot = t.TempDir()
	build := func(b *bench, program string, settings map[string]string) (event.Outcome, error) {
		task, _ := b.task("n", "needy")
		return nix.New(nix.Options{Program: program, Settings: settings}).Execute(t.Context(), task)
	}
	first := origin.later("first", "h1")
	if out, err := build(first, "", settings); err != nil || out.Verdict != event.Passed {
		t.Fatalf("%+v, %v", out, err)
	}
	closureOf := func(b *bench) string {
		c, err := os.ReadFile(payload.ClosurePath(filepath.Join(b.run.Dir, "jobs/job-n/staged-linux-rust/r")))
		if err != nil || len(c) == 0 {
			t.Fatalf("closure %q, %v", c, err)
		}
		return string(c)
	}

	again := origin.later("again", "h1")
	if out, err := build(again, "no-such-nix", settings); err != nil || out.Verdict != event.Passed {
		t.Fatalf("%+v, %v", out, err)
	}
	if again.ready()[0].StorePath != first.ready()[0].StorePath || closureOf(again) != closureOf(first) {
		t.Errorf("%+v, want %+v", again.ready()[0], first.ready()[0])
	}
	if size := again.ready()[0].Bytes; size <= 0 || size != first.ready()[0].Bytes {
		t.Errorf("of %d bytes, then %d", first.ready()[0].Bytes, size)
	}
	root := filepath.Join(again.run.Dir, "roots/n")
	if to, err := filepath.EvalSymlinks(root); err != nil || to != first.ready()[0].StorePath {
		t.Errorf("root leads to %q, %v", to, err)
	}

	asks := func(name string, b *bench, settings map[string]string) {
		t.Helper()
		if _, err := build(b, "no-such-nix", settings); !errors.As(err, new(*nix.MissingError)) {
			t.Errorf("%s: Nix was not asked: %v", name, err)
		}
	}
	asks("another snapshot", origin.later("other", "h2"), settings)
	asks("a snapshot without a hash", origin.later("unknown", ""), settings)
	asks("other settings", origin.later("set", "h1"), map[string]string{"sandbox": "relaxed"})
	known, _ := filepath.Glob(filepath.Join(origin.run.StateRoot, "payloads/*"))
	if len(known) != 1 {
		t.Fatalf("known: %q", known)
	}
	good, err := os.ReadFile(known[0])
	if err != nil {
		t.Fatal(err)
	}
	for i, damaged := range []string{"", "{}", string(good[:len(good)/2]), `{"root":"../x","store_path":"/"}`} {
		if err := os.WriteFile(known[0], []byte(damaged), 0o644); err != nil {
			t.Fatal(err)
		}
		asks("damaged", origin.later("damaged"+string(rune('0'+i)), "h1"), settings)
	}
	if err := os.WriteFile(known[0], good, 0o644); err != nil {
		t.Fatal(err)
	}
	// Without its root, Nix may have collected the output.
	if err := os.Remove(filepath.Join(first.run.Dir, "roots/n")); err != nil {
		t.Fatal(err)
	}
	asks("no root", origin.later("rootless", "h1"), settings)
}

// A process of this run took an earlier run's output, and was killed; meanwhile
// that run was collected. Nix builds anew where the link of then is.
func TestAKnownOutputThatIsGoneIsBuiltAgain(t *testing.T) {
	b := newBench(t)
	b.run.StateRoot = t.TempDir()
	run := b.later("run", "h1")
	root := filepath.Join(run.run.Dir, "roots/n")
	err := os.Mkdir(filepath.Dir(root), 0o755)
	if err == nil {
		err = os.Symlink("../../gone/roots/n", root)
	}
	if err != nil {
		t.Fatal(err)
	}
	task, _ := run.task("n", "needy")
	if out, err := nix.New(nix.Options{Settings: settings}).Execute(t.Context(), task); err != nil || out.Verdict != event.Passed {
		t.Fatalf("%+v, %v", out, err)
	}
	if to, _ := os.Readlink(root); to != run.ready()[0].StorePath {
		t.Errorf("the root leads to %q", to)
	}
}
