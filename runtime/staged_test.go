package runtime_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
)

// late makes instances when their payloads are there, and keeps which nodes had
// ended then.
type late struct {
	*world
	ended map[string]map[string]event.Outcome
}

func (l late) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	<-t.Staged
	l.mu.Lock()
	l.ended[t.Job().Job.ID] = l.outcomesNow()
	l.mu.Unlock()
	return l.world.Execute(ctx, t)
}

func (w *world) outcomesNow() map[string]event.Outcome {
	out := map[string]event.Outcome{}
	for _, e := range w.events {
		if f := e.NodeFinished; f != nil {
			out[f.Node] = f.Outcome
		}
	}
	return out
}

// An instance is told when the last of its job's builds is over, also where one
// fails, is skipped, or is none.
func TestStaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "two", []string{"deps", "build"}, nil)
		guest(p, "broken", []string{"breaks", "after"}, nil)
		guest(p, "shared", []string{"deps"}, nil)
		guest(p, "none", nil, nil)
		w := newWorld()
		w.script["breaks"] = fails(event.Prepare)
		for _, id := range []string{"deps", "build"} {
			w.script[id] = func(context.Context, int) (event.Outcome, error) {
				time.Sleep(time.Minute)
				return event.Outcome{Verdict: event.Passed}, nil
			}
		}
		c, l := w.config(p), late{w, map[string]map[string]event.Outcome{}}
		c.Instances, c.Capacity.Commands = l, 4
		if _, err := runtime.Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		for job, builds := range map[string][]string{"two": {"deps", "build"}, "shared": {"deps"}, "none": nil} {
			for _, b := range builds {
				if _, over := l.ended[job][b]; !over {
					t.Errorf("the instance of %s was told before %s had ended", job, b)
				}
			}
		}
		if _, over := l.ended["shared"]["build"]; over {
			t.Error("the instance of shared waited for a build of another job")
		}
		if _, waited := l.ended["none"]["deps"]; waited || l.ended["none"] == nil {
			t.Error("the instance of none waited for a build")
		}
	})
}
