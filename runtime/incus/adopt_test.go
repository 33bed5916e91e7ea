package incus_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// another has the bench go on as another process would.
func (b *bench) another(begun bool) (bool, error) {
	b.t.Helper()
	b.x = connect(b.t, b.socket, *b.job.Job)
	b.out, b.errs = new(runtimetest.Log), new(runtimetest.Log)
	b.job.Logs.Stdout, b.job.Logs.Stderr = b.out, b.errs
	return b.x.Adopt(context.Background(), *b.lease, begun)
}

func TestAdoptBeforeTheStart(t *testing.T) {
	b := newBench(t, nil)
	b.file("out/f", "payload\n", 0o644)
	b.payload("role", "out", "/staged")
	b.create()
	if ready, err := b.another(false); !ready || err != nil {
		t.Fatalf("%v, %v", ready, err)
	}
	out, err := b.execute(context.Background(), "cat", "/staged/f")
	if err != nil || out.Verdict != event.Passed || b.out.String() != "payload\n" {
		t.Errorf("%+v, %v, %q", out, err, b.out)
	}
	// It ran, so it can't be begun again; and of one that has stopped nothing
	// can be proved.
	op, err := server(t, b.socket).UpdateInstanceState(b.name(), api.InstanceStatePut{Action: "stop", Timeout: -1, Force: true}, "")
	if err == nil {
		err = op.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	if ready, err := b.another(true); ready || err != nil {
		t.Errorf("a stopped one: %v, %v", ready, err)
	}
}

// The process that began the command is gone at once, or was killed in the
// middle; the command ends while nobody watches.
func TestAdoptACommand(t *testing.T) {
	b := newBench(t, func(j *plan.Job) { j.Artifacts = []string{"*"} })
	b.create()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first := b.out
	go b.execute(ctx, "bash", "-c", "echo begun; sleep 0.5; echo kept >$PIKACI_ARTIFACTS/f; echo over; exit 3")
	first.Until(t, "begun")
	time.Sleep(time.Second) // it has ended, and the first follower saw it
	if ready, err := b.another(true); !ready || err != nil {
		t.Fatalf("%v, %v", ready, err)
	}
	b.job.Dir = t.TempDir()
	out, err := b.execute(context.Background(), "bash", "-c", "echo another; exit 4")
	if err != nil || out.ExitCode == nil || *out.ExitCode != 3 || b.out.String() != "begun\nover\n" {
		t.Errorf("%s, %v, %q", describe(out), err, b.out)
	}
	if n := strings.Count(b.inside("ls /var/lib/pikaci/job"), "supervisor.pid"); n != 1 {
		t.Errorf("%d supervisors", n)
	}
}

func TestAdoptNothingElse(t *testing.T) {
	b := newBench(t, nil)
	b.create()
	mine := *b.lease
	for name, lease := range map[string]event.Lease{
		"another uuid": {Name: mine.Name, Node: mine.Node, Job: mine.Job, UUID: "other"},
		"another node": {Name: mine.Name, Node: "other", Job: mine.Job, UUID: mine.UUID},
		"another job":  {Name: mine.Name, Node: mine.Node, Job: "other", UUID: mine.UUID},
	} {
		if ready, err := b.x.Adopt(context.Background(), lease, false); ready || err == nil {
			t.Errorf("%s: %v, %v", name, ready, err)
		}
	}
	if ready, err := b.x.Adopt(context.Background(), event.Lease{Name: "pikaci-0"}, false); ready || err != nil {
		t.Errorf("none: %v, %v", ready, err)
	}
}

// An instance of the name that was asked for by a process of the same run which
// was killed, and came to be only now, is replaced.
func TestATakenNameIsTakenOver(t *testing.T) {
	b := newBench(t, nil)
	b.create()
	before := b.lease.UUID
	b.x = connect(t, b.socket, *b.job.Job)
	b.create()
	if b.lease.UUID == before || b.lease.UUID == "" {
		t.Errorf("uuid %q, before %q", b.lease.UUID, before)
	}
	if left := b.left(); len(left) != 1 {
		t.Errorf("instances %q", left)
	}
}
