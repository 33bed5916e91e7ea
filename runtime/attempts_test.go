package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
)

// breaksUntil can't be carried out before that attempt.
func breaksUntil(attempt int, err error) func(context.Context, int) (event.Outcome, error) {
	return func(_ context.Context, n int) (event.Outcome, error) {
		if n < attempt {
			return event.Outcome{}, err
		}
		return event.Outcome{Verdict: event.Passed}, nil
	}
}

func TestWhatCouldNotBeCarriedOutIsTriedAgain(t *testing.T) {
	for _, node := range []string{"build", "prepare-a-runner", "execute-a"} {
		for broken, want := range map[int]struct {
			code int
			took time.Duration
		}{1: {0, time.Second}, 2: {0, 5 * time.Second}, 3: {runtime.ExitInfra, 5 * time.Second}} {
			t.Run(fmt.Sprint(node, broken), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := onelane()
					guest(p, "a", []string{"build"}, nil)
					w := newWorld()
					w.script[node] = breaksUntil(broken+1, errors.New("no connection"))
					c := w.config(p)
					c.InfraRetries = 2
					began := time.Now()
					s, _ := runtime.Run(t.Context(), c)
					if s.ExitCode != want.code || time.Since(began) != want.took {
						t.Errorf("after %s: %+v", time.Since(began), s)
					}
					retried := 0
					for _, e := range w.events {
						if n := e.NodeRetried; n != nil && n.Failure == event.Infra && n.Reason == "no connection" {
							retried++
						}
					}
					if retried != min(broken, 2) || w.made["i-a"] {
						t.Errorf("%d attempts are told of; instances %v", retried, w.made)
					}
				})
			})
		}
	}
}

type hinted struct{ error }

func (hinted) Hint() string { return "start it" }

func TestWhatAPersonMustMendIsNotTriedAgain(t *testing.T) {
	for _, err := range []error{hinted{errors.New("no daemon")}, fmt.Errorf("write: %w", syscall.ENOSPC)} {
		p := onelane()
		guest(p, "a", nil, nil)
		w := newWorld()
		w.script["execute-a"] = breaksUntil(2, err)
		c := w.config(p)
		c.InfraRetries = 2
		s, _ := runtime.Run(t.Context(), c)
		if s.ExitCode != runtime.ExitInfra || errors.Is(err, syscall.ENOSPC) != (s.NoSpace != nil) {
			t.Errorf("%v: %+v", err, s)
		}
	}
}

func TestACancelDoesNotWaitForTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", nil, nil)
		w := newWorld()
		w.script["execute-a"] = breaksUntil(9, errors.New("no connection"))
		c := w.config(p)
		c.InfraRetries = 5
		ctx, cancel := context.WithCancelCause(t.Context())
		began := time.Now()
		time.AfterFunc(10*time.Second, func() { cancel(runtime.ErrInterrupted) })
		s, _ := runtime.Run(ctx, c)
		if s.ExitCode != runtime.ExitInterrupted || time.Since(began) != 10*time.Second {
			t.Errorf("after %s: %+v", time.Since(began), s)
		}
	})
}
