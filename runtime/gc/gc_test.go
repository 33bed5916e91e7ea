package gc_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/gc"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// yard is a state root and a fake server.
type yard struct {
	t      *testing.T
	root   string
	server *runtimetest.Incus
}

func newYard(t *testing.T) *yard {
	return &yard{t: t, root: t.TempDir(), server: runtimetest.NewIncus(t)}
}

func (y *yard) executor(root string) *incus.Executor {
	y.t.Helper()
	o := incus.Options{Socket: y.server.Socket, Project: "default", Root: root}
	if o.Socket == "" {
		o.Dial = y.server.Dial
	}
	x, err := incus.New(context.Background(), o)
	if err != nil {
		y.t.Fatal(err)
	}
	return x
}

// run makes a run's directory that is as old as that, with these events.
func (y *yard) run(id string, age time.Duration, events ...event.Event) *record.Dir {
	y.t.Helper()
	d, err := record.Create(y.root, id)
	if err != nil {
		y.t.Fatal(err)
	}
	j, err := d.OpenJournal(func(event.Event) {})
	if err != nil {
		y.t.Fatal(err)
	}
	first := event.Event{JournalOpened: &event.JournalOpened{SchemaVersion: event.SchemaVersion, RunID: id}}
	for _, e := range append([]event.Event{first}, events...) {
		if err := j.Append(e, event.Later); err != nil {
			y.t.Fatal(err)
		}
	}
	j.Close()
	if err := d.Write("plan.json", []byte("{}")); err != nil {
		y.t.Fatal(err)
	}
	at := time.Now().Add(-age)
	for _, name := range []string{"plan.json", "events.jsonl"} {
		if err := os.Chtimes(filepath.Join(d.Path, name), at, at); err != nil {
			y.t.Fatal(err)
		}
	}
	return d
}

// instance makes the instance of a run's job, as a run of that state root does,
// and returns its name.
func (y *yard) instance(root, run, job string) string {
	y.t.Helper()
	ctx := runtime.NewRunContext(y.root, run, "/nowhere")
	task := runtime.Task{Node: &plan.Node{ID: plan.PrepareRunnerID(job), IncusInstance: &plan.IncusInstance{Job: job}},
		Attempt: 1, Run: &ctx, Emit: func(event.Event) error { return nil },
		Jobs: []*runtime.JobContext{{RunContext: &ctx, Lane: &plan.Lane{ID: "lane"}, Job: &plan.Job{ID: job,
			Incus: &plan.Incus{Image: "i", InstanceType: plan.VirtualMachine, CPUs: 1, Memory: "1GiB", Network: "none"}}}}}
	if _, err := y.executor(root).Execute(context.Background(), task); err != nil {
		y.t.Fatal(err)
	}
	return incus.InstanceName(run, job)
}

func (y *yard) options() gc.Options {
	return gc.Options{StateRoot: y.root, Server: y.executor("mine"), Keep: 20, OlderThan: time.Hour, Now: time.Now()}
}

// collect plans and collects, and returns what was removed.
func (y *yard) collect(o gc.Options) []string {
	y.t.Helper()
	items, err := gc.Plan(context.Background(), o)
	if err != nil {
		y.t.Fatal(err)
	}
	if err := gc.Collect(context.Background(), o, items); err != nil {
		y.t.Fatal(err)
	}
	var removed []string
	for _, i := range items {
		if i.Removed != i.Remove || i.Why == "" {
			y.t.Errorf("%+v", i)
		}
		if i.Removed {
			removed = append(removed, i.Name)
		}
	}
	slices.Sort(removed)
	return removed
}

func ended() event.Event {
	return event.Event{RunFinished: &event.RunFinished{Verdict: event.Passed}}
}

func TestInstancesOfDeadRunsGoAndNoOthers(t *testing.T) {
	y := newYard(t)
	y.run("dead", time.Minute)
	lock, err := y.run("live", time.Minute).Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	dead, dead2 := y.instance("mine", "dead", "a"), y.instance("mine", "dead", "b")
	live := y.instance("mine", "live", "a")
	// The same run's name under another state root, and a run that nobody
	// here knows of.
	foreign, gone := y.instance("theirs", "dead", "c"), y.instance("mine", "gone", "a")

	want := []string{dead, dead2}
	slices.Sort(want)
	if got := y.collect(y.options()); !slices.Equal(got, want) {
		t.Errorf("removed %q, want %q", got, want)
	}
	left := []string{live, foreign, gone}
	slices.Sort(left)
	if got := y.server.Instances(); !slices.Equal(got, left) {
		t.Errorf("left %q, want %q", got, left)
	}
	// That whose run directory is gone takes a word, and time.
	o := y.options()
	o.Orphans = true
	if got := y.collect(o); got != nil {
		t.Errorf("a young orphan: %q", got)
	}
	o.Now = o.Now.Add(2 * time.Hour)
	o.Run = "other"
	if got := y.collect(o); got != nil {
		t.Errorf("another run: %q", got)
	}
	o.Run = ""
	if got := y.collect(o); !slices.Equal(got, []string{gone}) {
		t.Errorf("an old orphan: %q", got)
	}
}

func TestNothingGoesIfTheListIsNotWhole(t *testing.T) {
	y := newYard(t)
	old := y.run("old", 48*time.Hour, ended())
	y.instance("mine", "old", "a")
	y.server.Broken = "the database is locked"
	o := y.options()
	o.Keep = 0
	if items, err := gc.Plan(context.Background(), o); err == nil {
		t.Errorf("planned %+v", items)
	}
	if _, err := os.Stat(old.Path); err != nil || len(y.server.Instances()) != 1 {
		t.Errorf("%v, %q", err, y.server.Instances())
	}
}

// Between the list and the deletion, a run may be resumed, and an instance be
// deleted and made again.
func TestWhatChangedSinceTheListIsLeftAlone(t *testing.T) {
	y := newYard(t)
	resumed := y.run("resumed", time.Minute)
	y.run("again", time.Minute)
	kept, other := y.instance("mine", "resumed", "a"), y.instance("mine", "again", "a")
	o := y.options()
	items, err := gc.Plan(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := resumed.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	x := y.executor("mine")
	if err := x.Release(context.Background(), event.Lease{Name: other, Node: plan.PrepareRunnerID("a"), Job: "a"}); err != nil {
		t.Fatal(err)
	}
	y.instance("mine", "again", "a")
	if err := gc.Collect(context.Background(), o, items); err == nil {
		t.Error("no error")
	}
	got := fmt.Sprint(items)
	for _, want := range []string{"run resumed is under way", other + " is not touched: it is another one"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	if left := y.server.Instances(); !slices.Contains(left, kept) || !slices.Contains(left, other) {
		t.Errorf("left %q", left)
	}
}

func TestTheNewestDirectoriesStay(t *testing.T) {
	y := newYard(t)
	for i := range 5 {
		y.run(fmt.Sprintf("run-%d", i), time.Duration(10-i)*time.Hour, ended())
	}
	y.run("killed", 30*time.Minute)
	y.run("killed-long-ago", 11*time.Hour)
	broken := y.run("broken", 12*time.Hour, ended())
	if err := os.WriteFile(filepath.Join(broken.Path, "events.jsonl"), []byte("x\ny\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	lock, err := y.run("live", 13*time.Hour, ended()).Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	// An instance that stays keeps its directory: it mounts the snapshot.
	y.instance("theirs", "run-0", "a")

	o := y.options()
	o.Keep = 2
	// The newest two are killed and run-4.
	want := []string{"runs/killed-long-ago", "runs/run-0", "runs/run-1", "runs/run-2", "runs/run-3"}
	if got := y.collect(o); !slices.Equal(got, want) {
		t.Errorf("removed %q, want %q", got, want)
	}
	o.Keep = 0
	if got := y.collect(o); !slices.Equal(got, []string{"runs/run-4"}) {
		t.Errorf("then removed %q", got)
	}
	entries, err := os.ReadDir(filepath.Join(y.root, "runs"))
	if err != nil || fmt.Sprint(entries) != "[d broken/ d killed/ d live/]" {
		t.Errorf("%v, %v", entries, err)
	}
}

// exec sweeps at its start; where no run was killed it asks the server nothing.
func TestSweep(t *testing.T) {
	y := newYard(t)
	lease := func(job string) event.Event {
		return event.Event{LeaseIntended: &event.Lease{Name: incus.InstanceName("dead", job), Node: plan.PrepareRunnerID(job), Job: job}}
	}
	y.run("dead", time.Hour, lease("a"))
	y.run("just-killed", time.Minute, lease("a"))
	y.run("without", time.Hour)
	over := y.run("over", time.Hour, lease("a"), ended())
	if err := over.Write("run.json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	y.instance("mine", "dead", "a")
	stays := y.instance("mine", "just-killed", "a")
	find := func() []string { return gc.Dead(y.root, 10*time.Minute, time.Now()) }
	dead := find()
	if !slices.Equal(dead, []string{"dead"}) {
		t.Fatalf("dead: %q", dead)
	}
	if err := gc.Sweep(context.Background(), y.options(), dead); err != nil {
		t.Fatal(err)
	}
	if left := y.server.Instances(); !slices.Equal(left, []string{stays}) {
		t.Errorf("left %q", left)
	}
	if dead := find(); dead != nil {
		t.Errorf("swept again: %q", dead)
	}
	if _, err := os.Stat(filepath.Join(y.root, "runs/dead/events.jsonl")); err != nil {
		t.Errorf("it can't be resumed any more: %v", err)
	}
}

// The server lists an instance only a while after it was asked for: one whose
// asker was killed meanwhile is waited for.
func TestAnInstanceThatIsOnItsWayIsWaitedFor(t *testing.T) {
	y := newYard(t)
	intended := event.Lease{Name: incus.InstanceName("dead", "a"), Node: plan.PrepareRunnerID("a"), Job: "a"}
	y.run("dead", 0, event.Event{LeaseIntended: &intended})
	late := make(chan string)
	go func() {
		time.Sleep(500 * time.Millisecond)
		late <- y.instance("mine", "dead", "a")
	}()
	got := y.collect(y.options())
	if want := <-late; !slices.Equal(got, []string{want}) || len(y.server.Instances()) != 0 {
		t.Errorf("removed %q, left %q", got, y.server.Instances())
	}
	// Nobody waits for what was asked for long ago.
	y.run("long-dead", time.Hour, event.Event{LeaseIntended: &intended})
	begin := time.Now()
	y.collect(func() gc.Options { o := y.options(); o.Run = "long-dead"; return o }())
	if took := time.Since(begin); took > gc.Settle/2 {
		t.Errorf("waited %s", took)
	}
}
