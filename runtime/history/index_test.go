package history_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/history"
	"github.com/sledtools/pikaci/runtime/record"
)

// summaries are of all runs, by id.
func summaries(t testing.TB, root string) map[string]history.Summary {
	t.Helper()
	all := map[string]history.Summary{}
	for s := range openRuns(t, root).All() {
		all[s.ID] = s
	}
	return all
}

// same wants what the index gives to be what the journals say.
func same(t *testing.T, root, when string) {
	t.Helper()
	index := filepath.Join(root, "runs.index")
	got := summaries(t, root)
	kept, err := os.ReadFile(index)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	want := summaries(t, root)
	if len(got) != len(want) {
		t.Errorf("%s: %d runs with the index, %d without", when, len(got), len(want))
	}
	for id, w := range want {
		if !reflect.DeepEqual(got[id], w) {
			t.Errorf("%s: with the index %+v\nwithout %+v", when, got[id], w)
		}
	}
	if err := os.WriteFile(index, kept, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestIndexIsOfNoAccount: with the index, without it, and whatever was done to
// it, the runs are the same.
func TestIndexIsOfNoAccount(t *testing.T) {
	for _, named := range []bool{false, true} {
		root := t.TempDir()
		makeRuns(t, root, 300, named)
		write(t, root, made{id: "odd", began: at(1), lanes: []string{"a=b", "tab\there"}, jobs: 2, verdict: event.Failed})
		os.Mkdir(filepath.Join(root, "runs", "empty"), 0o755)
		summaries(t, root)
		same(t, root, "written")
		index := filepath.Join(root, "runs.index")
		b, err := os.ReadFile(index)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for name, broken := range map[string]string{
			"cut off":          text[:len(text)/2],
			"in a line":        text[:len(text)/2] + "x" + text[len(text)/2:],
			"another version":  strings.Replace(text, "runs 1", "runs 2", 1),
			"empty":            "",
			"no index":         "\x00\xff\t\t\t\n\t\n",
			"a verdict turned": strings.ReplaceAll(text, "\tfailed\t", "\tpassed\t"),
			"lines twice":      text + strings.TrimPrefix(text, "pikaci runs 1\n"),
		} {
			if err := os.WriteFile(index, []byte(broken), 0o644); err != nil {
				t.Fatal(err)
			}
			same(t, root, name)
		}
		// A run that went on, one that is gone, and one of the same name.
		os.WriteFile(index, b, 0o644)
		list := ids(openRuns(t, root))
		for id, s := range summaries(t, root) {
			if s.State == record.Unfinished {
				write(t, root, made{id: id, began: s.StartedAt, lanes: []string{"went-on"}, jobs: 1})
			}
		}
		os.RemoveAll(filepath.Join(root, "runs", list[5]))
		if named {
			write(t, root, made{id: list[7], began: at(7), lanes: []string{"again"}, jobs: 4, verdict: event.Failed})
		}
		same(t, root, "changed")
		if _, ok := summaries(t, root)[list[5]]; ok {
			t.Error("a run that is gone is listed")
		}
	}
}

// TestIndexIsKeptSmall: what is known of runs that are gone goes, too.
func TestIndexIsKeptSmall(t *testing.T) {
	root := t.TempDir()
	makeRuns(t, root, 1500, false)
	summaries(t, root)
	for _, id := range ids(openRuns(t, root))[100:] {
		os.RemoveAll(filepath.Join(root, "runs", id))
	}
	makeRuns(t, root, 100, true)
	summaries(t, root)
	b, err := os.ReadFile(filepath.Join(root, "runs.index"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "\n"); n > 201 {
		t.Errorf("the index has %d lines for 200 runs", n)
	}
	same(t, root, "made small")
}

// TestIndexOfAnother: who may not write to the state root lists it just so.
func TestIndexOfAnother(t *testing.T) {
	root := t.TempDir()
	makeRuns(t, root, 100, false)
	// A folder in its place: even root can't write to it.
	if err := os.Mkdir(filepath.Join(root, "runs.index"), 0o755); err != nil {
		t.Fatal(err)
	}
	if n := len(summaries(t, root)); n != 100 {
		t.Errorf("%d runs, want 100", n)
	}
	if left, _ := filepath.Glob(filepath.Join(root, ".runs.index*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

// TestFewRunsHaveNoIndex: a small state root holds nothing that is not of use.
func TestFewRunsHaveNoIndex(t *testing.T) {
	root := t.TempDir()
	makeRuns(t, root, 40, false)
	summaries(t, root)
	if _, err := os.Stat(filepath.Join(root, "runs.index")); err == nil {
		t.Error("there is an index of 40 runs")
	}
}
