package runtime_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// nothing does nothing, at once, and keeps no journal.
type nothing struct{}

func (nothing) Execute(context.Context, runtime.Task) (event.Outcome, error) {
	return event.Outcome{Verdict: event.Passed}, nil
}
func (nothing) Append(event.Event, event.Safety) error { return nil }

// BenchmarkRun carries out 10,000 host nodes that do nothing, each but the first
// after another one: a tree.
func BenchmarkRun(b *testing.B) {
	const nodes = 10_000
	p := onelane()
	for i := range nodes {
		id := fmt.Sprint("j", i)
		p.Jobs = append(p.Jobs, plan.Job{ID: id, Lane: "l"})
		n := plan.Node{ID: plan.ExecuteID(id), Jobs: []string{id}, HostCommand: &plan.HostCommand{Job: id, Command: []string{"true"}}}
		if i > 0 {
			n.DependsOn = []string{plan.ExecuteID(fmt.Sprint("j", (i-1)/3))}
		}
		p.Nodes = append(p.Nodes, n)
		p.Lanes[0].Jobs = append(p.Lanes[0].Jobs, id)
	}
	b.ReportAllocs()
	for b.Loop() {
		c := newWorld().config(p)
		c.Builds, c.Instances, c.Guests, c.Hosts, c.Journal = nothing{}, nothing{}, nothing{}, nothing{}, nothing{}
		if s, err := runtime.Run(b.Context(), c); err != nil || s.ExitCode != 0 {
			b.Fatalf("%+v, %v", s, err)
		}
	}
}
