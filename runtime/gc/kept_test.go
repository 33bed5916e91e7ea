package gc_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/gc"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// keep makes the instance of a job and keeps it.
func (y *yard) keep(run, job string, until time.Time) string {
	y.t.Helper()
	name := y.instance("mine", run, job)
	l := event.Lease{Kind: "incus_instance", Name: name, Project: "default", Node: plan.PrepareRunnerID(job), Job: job}
	if err := y.executor("mine").Keep(context.Background(), l, until); err != nil {
		y.t.Fatal(err)
	}
	if err := record.NoteKept(y.root, run, until); err != nil {
		y.t.Fatal(err)
	}
	return name
}

func TestKeptInstancesStayUntilTheirTimeIsOver(t *testing.T) {
	y := newYard(t)
	y.run("ended", 48*time.Hour, ended())
	now := time.Now()
	stays := y.keep("ended", "stays", now.Add(time.Hour))
	over := y.keep("ended", "over", now.Add(-time.Minute))
	o := y.options()
	o.Keep = 0
	if got := y.collect(o); !slices.Equal(got, []string{over}) {
		t.Errorf("removed %q, want %q", got, over)
	}
	if _, err := os.Stat(filepath.Join(y.root, "runs", "ended")); err != nil {
		t.Errorf("the directory that a kept instance mounts: %v", err)
	}
	o.Kept = true
	if got := y.collect(o); !slices.Contains(got, stays) || len(y.server.Instances()) != 0 {
		t.Errorf("removed %q", got)
	}
}

// TestKeptOverIsFoundWithoutAServer: exec sweeps what was kept once its time is
// over, and looks at nothing else.
func TestKeptOverIsFoundWithoutAServer(t *testing.T) {
	y := newYard(t)
	now := time.Now()
	y.run("over", time.Hour, ended())
	y.keep("over", "j", now.Add(-time.Second))
	y.run("stays", time.Hour, ended())
	stays := y.keep("stays", "j", now.Add(time.Hour))
	if err := record.NoteKept(y.root, "gone", now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	found := gc.KeptOver(y.root, now)
	if !slices.Equal(found, []string{"gone", "over"}) {
		t.Fatalf("found %q", found)
	}
	if err := gc.Sweep(t.Context(), y.options(), found); err != nil {
		t.Fatal(err)
	}
	if left := y.server.Instances(); !slices.Equal(left, []string{stays}) {
		t.Errorf("left %q", left)
	}
	if again := gc.KeptOver(y.root, now); len(again) != 0 {
		t.Errorf("found again: %q", again)
	}
	if notes := record.KeptRuns(y.root); len(notes) != 1 {
		t.Errorf("notes: %v", notes)
	}
}

// TestKeepTouchesNoOther: an instance that is not the lease's is not marked.
func TestKeepTouchesNoOther(t *testing.T) {
	y := newYard(t)
	name := y.instance("mine", "r", "j")
	for _, l := range []event.Lease{
		{Name: name, Node: plan.PrepareRunnerID("j"), Job: "j", UUID: "another"},
		{Name: name, Node: plan.PrepareRunnerID("k"), Job: "k"},
		{Name: incus.InstanceName("r", "nosuch"), Node: plan.PrepareRunnerID("nosuch"), Job: "nosuch"},
	} {
		if err := y.executor("mine").Keep(t.Context(), l, time.Now()); err == nil {
			t.Errorf("kept %+v", l)
		}
	}
}
