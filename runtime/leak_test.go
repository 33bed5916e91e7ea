package runtime_test

import (
	"context"
	"fmt"
	goruntime "runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
)

// TestAThousandJobsLeaveNoGoroutine counts the goroutines in each job's command,
// and after the run: as many as commands and what is made ahead of them, however
// many jobs there are.
func TestAThousandJobsLeaveNoGoroutine(t *testing.T) {
	const jobs, parallel = 1000, 4
	p := onelane()
	w := newWorld()
	var most atomic.Int64
	for i := range jobs {
		id := fmt.Sprint("j", i)
		j := guest(p, id, []string{fmt.Sprint("build-", i%10)}, nil)
		j.Retries = i % 2
		w.script["execute-"+id] = func(_ context.Context, attempt int) (event.Outcome, error) {
			n := int64(goruntime.NumGoroutine())
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			if i%3 == 0 && attempt == 1 {
				return fails(event.Test)(nil, attempt)
			}
			return event.Outcome{Verdict: event.Passed}, nil
		}
	}
	before := goruntime.NumGoroutine()
	c := w.config(p)
	c.Capacity.Commands = parallel
	s, err := runtime.Run(t.Context(), c)
	if err != nil || len(s.Jobs) != jobs {
		t.Fatalf("%d jobs, %v", len(s.Jobs), err)
	}
	// Commands, instances and the taking back of as many, and those that are over
	// but not gone yet, on a busy machine.
	if limit := int64(before + 8*parallel); most.Load() > limit {
		t.Errorf("%d goroutines at one time, %d before", most.Load(), before)
	}
	for deadline := time.Now().Add(5 * time.Second); goruntime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	after := goruntime.NumGoroutine()
	t.Logf("%d goroutines before, at most %d in a command, %d after", before, most.Load(), after)
	if after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}
