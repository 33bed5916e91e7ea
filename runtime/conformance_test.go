package runtime_test

import (
	"context"
	"errors"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// The fake that the tests of the run use keeps to the contract of real ones.
func TestTheFakeConforms(t *testing.T) {
	runtimetest.Conformance(t, func(t *testing.T, how runtimetest.Behaviour) runtimetest.Trial {
		w := newWorld()
		began := make(chan struct{})
		w.script["n"] = map[runtimetest.Behaviour]func(context.Context, int) (event.Outcome, error){
			runtimetest.FailsSoon: fails(event.Test),
			runtimetest.CantBe: func(context.Context, int) (event.Outcome, error) {
				return event.Outcome{}, errors.New("it can't be")
			},
			runtimetest.Blocks: func(ctx context.Context, _ int) (event.Outcome, error) {
				close(began)
				<-ctx.Done()
				return event.Outcome{}, context.Cause(ctx)
			},
		}[how]
		return runtimetest.Trial{Executor: w,
			Task: runtime.Task{Node: &plan.Node{ID: "n", HostCommand: &plan.HostCommand{}}, Attempt: 1},
			Began: func() bool {
				select {
				case <-began:
					return true
				default:
					return false
				}
			},
			TakeBack: func() []string { return nil }}
	})
}
