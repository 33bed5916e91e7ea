package gc_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/gc"
	"github.com/sledtools/pikaci/runtime/record"
)

// cached says that a job of the run is cached from another.
func cached(from string) event.Event {
	return event.Event{ResultLookedUp: &event.ResultLookedUp{Job: "j", Key: "k", Found: true, Run: from}}
}

// pass writes what is kept of a pass of the run.
func (y *yard) pass(name, run string) string {
	y.t.Helper()
	path := filepath.Join(y.root, "results", name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(`{"schema_version":1,"run":"`+run+`","job":"j"}`), 0o644)
	}
	if err != nil {
		y.t.Fatal(err)
	}
	return path
}

func TestRunsThatCachedJobsPointToStay(t *testing.T) {
	y := newYard(t)
	y.run("a", 6*time.Hour, ended())
	y.run("b", 5*time.Hour, ended())
	y.run("c", 4*time.Hour, cached("a"), ended())
	d := y.run("d", 3*time.Hour, cached("c"), ended())
	y.run("e", 2*time.Hour, event.Event{ResultLookedUp: &event.ResultLookedUp{Job: "j", Run: "b", Differs: []string{"snapshot"}}}, ended())
	// One that was recorded to its end is read from its record.
	run := record.Run{ID: "d", Jobs: []record.JobRecord{{ID: "j", Result: cached("c").ResultLookedUp}}}
	if err := d.WriteJSON("run.json", run); err != nil {
		t.Fatal(err)
	}
	of := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		of[name] = y.pass(name+"-key.json", name)
	}
	last := y.pass("last/j.json", "b")
	damaged := y.pass("damaged.json", "../b")
	foreign := y.pass("README", "b")
	o := y.options()
	o.Keep = 2
	items, err := gc.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if i.Run == "a" && i.Why != "jobs of run c are cached from it" {
			t.Errorf("%+v", i)
		}
	}
	if got := y.collect(o); !slices.Equal(got, []string{"runs/b"}) {
		t.Errorf("removed %v", got)
	}
	for name, want := range map[string]bool{of["a"]: true, of["b"]: false, of["c"]: true, last: false, damaged: false, foreign: true} {
		if _, err := os.Lstat(name); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", name, err == nil, want)
		}
	}
	// Without those that point to them, they go.
	o.Keep = 0
	if got := y.collect(o); !slices.Equal(got, []string{"runs/a", "runs/c", "runs/d", "runs/e"}) {
		t.Errorf("then removed %v", got)
	}
}

func TestOneRunThatIsPointedToStays(t *testing.T) {
	y := newYard(t)
	y.run("a", 6*time.Hour, ended())
	y.run("b", 4*time.Hour, cached("a"), ended())
	o := y.options()
	o.Keep, o.Run = 0, "a"
	if got := y.collect(o); len(got) > 0 {
		t.Errorf("removed %v", got)
	}
}
