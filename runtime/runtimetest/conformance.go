package runtimetest

import (
	"context"
	"errors"
	goruntime "runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
)

// Behaviour is what a task of a trial does.
type Behaviour int

// The behaviours.
const (
	// PassesSoon ends with a pass.
	PassesSoon Behaviour = iota
	// FailsSoon ends with a failure of what is carried out.
	FailsSoon
	// CantBe is one that can't be carried out.
	CantBe
	// Blocks goes on for minutes, unless it is cancelled.
	Blocks
)

// Trial is a task and the executor that is tried on it.
type Trial struct {
	Executor runtime.Executor
	// Before are tasks that must pass first.
	Before []runtime.Task
	Task   runtime.Task
	// Began reports whether a task that blocks is under way.
	Began func() bool
	// TakeBack releases what the executor handed to the run, and returns the
	// names of what is there all the same.
	TakeBack func() []string
}

// soon is how long an executor may take to return after its context's end: it
// gives a command that ignores TERM ten seconds.
const soon = 15 * time.Second

// Conformance holds an executor to the contract of runtime.Executor. make is
// called for each trial, and makes all of it anew but what executors share.
func Conformance(t *testing.T, make func(t *testing.T, b Behaviour) Trial) {
	t.Run("passes", func(t *testing.T) {
		trial := make(t, PassesSoon)
		if out, err := trial.run(t.Context()); err != nil || out.Verdict != event.Passed || out.Failure != "" {
			t.Errorf("%+v, %v", out, err)
		}
		trial.end(t)
	})
	t.Run("a failure is an outcome", func(t *testing.T) {
		trial := make(t, FailsSoon)
		if out, err := trial.run(t.Context()); err != nil || out.Verdict != event.Failed || out.Failure == "" || out.Failure == event.Infra {
			t.Errorf("%+v, %v", out, err)
		}
		trial.end(t)
	})
	t.Run("what can't be carried out is an error", func(t *testing.T) {
		trial := make(t, CantBe)
		if out, err := trial.run(t.Context()); err == nil || out.Verdict != "" {
			t.Errorf("%+v, %v", out, err)
		}
		trial.end(t)
	})
	t.Run("cancelled before the start", func(t *testing.T) {
		trial := make(t, PassesSoon)
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if out, err := trial.Executor.Execute(ctx, trial.Task); !errors.Is(err, why) {
			t.Errorf("%+v, %v", out, err)
		}
		trial.end(t)
	})
	t.Run("cancelled in the middle", func(t *testing.T) { cancelled(t, make(t, Blocks)) })
	t.Run("many at once", func(t *testing.T) {
		var all sync.WaitGroup
		for range 6 {
			trial := make(t, PassesSoon)
			all.Go(func() {
				if out, err := trial.run(t.Context()); err != nil || out.Verdict != event.Passed {
					t.Errorf("%+v, %v", out, err)
				}
				trial.end(t)
			})
		}
		all.Wait()
	})
	t.Run("no goroutine is left", func(t *testing.T) {
		round := func() {
			for _, b := range []Behaviour{PassesSoon, FailsSoon} {
				trial := make(t, b)
				trial.run(t.Context())
				trial.end(t)
			}
			cancelled(t, make(t, Blocks))
		}
		round() // connections that are kept are made
		leaks(t, func() {
			round()
			round()
		})
	})
}

// run carries out what comes before, and the task.
func (trial *Trial) run(ctx context.Context) (event.Outcome, error) {
	for _, t := range trial.Before {
		if out, err := trial.Executor.Execute(ctx, t); err != nil || out.Verdict != event.Passed {
			return out, err
		}
	}
	return trial.Executor.Execute(ctx, trial.Task)
}

func (trial *Trial) end(t *testing.T) {
	t.Helper()
	if left := trial.TakeBack(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// cancelled cancels a task that blocks.
func cancelled(t *testing.T, trial Trial) {
	t.Helper()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var at time.Time
	var watch sync.WaitGroup
	watch.Go(func() {
		for !trial.Began() && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		at = time.Now()
		cancel(why)
	})
	out, err := trial.run(ctx)
	cancel(nil) // where it ended by itself
	watch.Wait()
	if took := time.Since(at); !errors.Is(err, why) || took > soon {
		t.Errorf("%+v, %v after %s", out, err, took)
	}
	trial.end(t)
}

// leaks fails where f leaves goroutines. Those of connections that are kept
// for later are not counted.
func leaks(t *testing.T, f func()) {
	t.Helper()
	before := goroutines()
	f()
	after := goroutines()
	for deadline := time.Now().Add(10 * time.Second); after > before && time.Now().Before(deadline); after = goroutines() {
		time.Sleep(20 * time.Millisecond)
	}
	if after > before {
		var b strings.Builder
		pprof.Lookup("goroutine").WriteTo(&b, 1)
		t.Errorf("%d goroutines before, %d after:\n%s", before, after, b.String())
	}
}

func goroutines() int {
	b := make([]byte, 4<<20)
	n := 0
	for stack := range strings.SplitSeq(string(b[:goruntime.Stack(b, true)]), "\n\n") {
		if !strings.Contains(stack, "net/http.(*persistConn)") && !strings.Contains(stack, "net/http.(*conn).serve") {
			n++
		}
	}
	return n
}
