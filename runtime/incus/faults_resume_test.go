package incus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// owner is a process that carries out a run, as far as it can be killed within
// a test: then its connections are gone, it gets no others, and what it does
// is not journalled.
type owner struct {
	server  *runtimetest.Incus
	journal *record.Journal
	mu      sync.Mutex
	dead    bool
	conns   []net.Conn
}

func (o *owner) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := o.server.Dial(ctx, network, address)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead {
		return nil, syscall.ECONNREFUSED
	}
	o.conns = append(o.conns, conn)
	return conn, err
}

// Append is of runtime.Journal.
func (o *owner) Append(e event.Event, safety event.Safety) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead {
		return errors.New("killed")
	}
	return o.journal.Append(e, safety)
}

func (o *owner) kill(t *testing.T) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
	for _, c := range o.conns {
		c.Close()
	}
	if err := o.journal.Close(); err != nil {
		t.Error(err)
	}
}

// resume begins a run, kills its owner, and goes on with it on the faulty
// server. Calls are counted from then on.
func (tr trouble) resume(t *testing.T, s *runtimetest.Incus, state string, a *aftermath) {
	var before []runtimetest.Call
	var goesOn atomic.Bool
	s.Faulty = func(c runtimetest.Call) runtimetest.Fault {
		if tr.faulty == nil || !goesOn.Load() {
			return runtimetest.NoFault
		}
		return tr.faulty(since(before, c))
	}
	o := &owner{server: s}
	p := tr.plan()
	first, err := connected(t, o.dial, p)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := record.Create(state, "run")
	if err != nil {
		t.Fatal(err)
	}
	if o.journal, err = dir.OpenJournal(func(event.Event) {}); err != nil {
		t.Fatal(err)
	}
	c := tr.config(t, p, first, state, dir)
	c.Journal = o
	over := make(chan struct{})
	go func() {
		defer close(over)
		runtime.Run(context.Background(), c)
	}()
	time.Sleep(tr.killed)
	o.kill(t)
	defer func() { <-over }()

	second, err := connected(t, s.Dial, p)
	if err != nil {
		t.Fatal(err)
	}
	before = s.Calls()
	goesOn.Store(true)
	defer func() {
		for _, c := range s.Calls()[len(before):] {
			a.calls = append(a.calls, since(before, c))
		}
	}()
	var progress runtime.Progress
	if err := dir.Events(func(e event.Event) error { progress.Add(e); return nil }); err != nil {
		t.Fatal(err)
	}
	if progress.Finished != nil {
		t.Fatal("it had ended")
	}
	lock, err := dir.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	c = tr.config(t, p, second, state, dir)
	c.Resume, c.Adopter = &progress, second
	journal, torn, err := lock.Reopen(func(event.Event) {})
	if err != nil {
		t.Fatal(err)
	}
	c.Journal, c.Torn = journal, torn
	if n := progress.Nodes[plan.ExecuteID("job")]; n != nil && n.Outcome == nil {
		if err := dir.CutLog("job", event.Stdout, n.Stdout); err != nil {
			t.Fatal(err)
		}
	}
	a.end(t, c, dir, journal)
}

// since counts a call from those on.
func since(before []runtimetest.Call, c runtimetest.Call) runtimetest.Call {
	for _, b := range before {
		if b.What == c.What {
			c.N--
		}
	}
	return c
}

// The same for a run that goes on after its owner was killed: while the
// instance was made, while its command ran, after that, and while it was
// deleted. But for the second, only with PIKACI_FAULTS=all.
func TestAnyCallOfAResumedRunMayGoWrong(t *testing.T) {
	moments := []time.Duration{100, 500, 3000, 6100, 6400}
	if os.Getenv("PIKACI_FAULTS") != "all" {
		moments = []time.Duration{3000}
	}
	for _, at := range moments {
		t.Run(fmt.Sprintf("killed after %d ms", at), func(t *testing.T) {
			tr := trouble{kind: plan.Container, killed: at * time.Millisecond}
			whole := tr.carryOut(t)
			whole.check(t, 0)
			if len(whole.there) > 0 || whole.summary.ExitCode != 0 {
				t.Fatalf("without a fault: %+v", whole)
			}
			anyFault(t, tr, whole.calls)
		})
	}
}
