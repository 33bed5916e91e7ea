package incus_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// trial is of a bench whose command behaves so.
func (b *bench) trial(how runtimetest.Behaviour) runtimetest.Trial {
	scripts := map[runtimetest.Behaviour]string{
		runtimetest.PassesSoon: "true",
		runtimetest.FailsSoon:  "exit 3",
		runtimetest.CantBe:     "kill -9 $PPID; sleep 60", // as root: its supervisor
		runtimetest.Blocks:     "echo begun; sleep 600",
	}
	return runtimetest.Trial{
		Executor: b.x,
		Before: []runtime.Task{b.task(&plan.Node{ID: plan.PrepareRunnerID("job"),
			IncusInstance: &plan.IncusInstance{Job: "job"}})},
		Task: b.task(&plan.Node{ID: plan.ExecuteID("job"),
			GuestCommand: &plan.GuestCommand{Job: "job", Command: []string{"bash", "-c", scripts[how]}}}),
		Began: func() bool { return strings.Contains(b.out.String(), "begun") },
		TakeBack: func() []string {
			if b.lease != nil {
				b.x.Release(context.Background(), *b.lease)
			}
			return b.left()
		},
	}
}

func TestConformance(t *testing.T) {
	shared := newBench(t, nil).x
	runtimetest.Conformance(t, func(t *testing.T, how runtimetest.Behaviour) runtimetest.Trial {
		b := newBench(t, root)
		b.x = shared
		return b.trial(how)
	})
}

func TestConformanceOfVirtualMachines(t *testing.T) { conformanceOfFake(t, nil) }

// Every ninth call to this server fails in a way that another try mends.
func TestConformanceOnABadServer(t *testing.T) {
	faults := []runtimetest.Fault{runtimetest.Unavailable, runtimetest.DoneResets, runtimetest.Resets, runtimetest.DoneCut}
	var calls atomic.Int64
	conformanceOfFake(t, func(c runtimetest.Call) runtimetest.Fault {
		n := calls.Add(1)
		asked := c.What == "GET /1.0" || strings.HasPrefix(c.What, "GET /pro") || strings.HasPrefix(c.What, "GET /images")
		if n%9 != 0 || asked { // what is asked before a run is asked once
			return runtimetest.NoFault
		}
		return faults[n/9%int64(len(faults))]
	})
}

func conformanceOfFake(t *testing.T, faulty func(runtimetest.Call) runtimetest.Fault) {
	first, s := fakeBench(t, nil)
	s.Faulty = faulty
	s.Guest = func(ctx context.Context, start guest.Start, out io.Writer) {
		switch script := start.Request.Argv[2]; {
		case strings.HasPrefix(script, "exit"):
			io.WriteString(out, good(guest.Ended, `{"code": 3}`)+good(guest.Done, ""))
		case strings.HasPrefix(script, "kill"):
			io.WriteString(out, good(guest.Ended, `{"broken": "the supervisor was killed"}`)+good(guest.Done, ""))
		case strings.HasPrefix(script, "echo"):
			io.WriteString(out, good(guest.Started, "")+good(guest.Stdout, "begun\n"))
			<-ctx.Done()
			io.WriteString(out, good(guest.Ended, `{"cancelled": true}`)+good(guest.Done, ""))
		default:
			runtimetest.Passes(ctx, start, out)
		}
	}
	runtimetest.Conformance(t, func(t *testing.T, how runtimetest.Behaviour) runtimetest.Trial {
		b := newBenchAt(t, s.Socket, machine)
		b.x = first.x
		b.leftovers = func() (left []string) {
			for _, name := range s.Instances() {
				if name == b.name() {
					left = append(left, name)
				}
			}
			return left
		}
		return b.trial(how)
	})
}
