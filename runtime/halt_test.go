package runtime_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// hangs is a node that only its context ends.
func hangs(ctx context.Context, _ int) (event.Outcome, error) {
	<-ctx.Done()
	return event.Outcome{}, fmt.Errorf("waiting: %w", context.Cause(ctx))
}

// wantVerdicts holds the jobs' verdicts, each with its kind of failure.
func wantVerdicts(t *testing.T, s runtime.Summary, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, j := range s.Jobs {
		got[j.Job] = string(j.Verdict)
		if j.Failure != "" {
			got[j.Job] += ":" + string(j.Failure)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// cleaned is a lane of a job that hangs, one that waits for it, and one that
// cleans up after both.
func cleaned() (*plan.Plan, *world) {
	p := onelane()
	guest(p, "hangs", []string{"build"}, nil)
	guest(p, "waits", nil, []string{"hangs"})
	finally := guest(p, "cleans", []string{"build"}, []string{"hangs", "waits"})
	finally.Finally, finally.Needs = true, nil
	w := newWorld()
	w.script["execute-hangs"] = hangs
	return p, w
}

func TestFinallyJobsRunAfterACancel(t *testing.T) {
	for name, c := range map[string]struct {
		build func(context.Context, int) (event.Outcome, error)
		want  string
	}{
		"while a command runs": {nil, "passed"},
		"before any was begun": {hangs, "cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, w := cleaned()
				w.script["build"] = c.build
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(runtime.ErrInterrupted) })
				s, _ := runtime.Run(ctx, w.config(p))
				wantVerdicts(t, s, map[string]string{"hangs": "cancelled", "waits": "cancelled", "cleans": c.want})
				if s.ExitCode != runtime.ExitInterrupted {
					t.Errorf("exit code %d", s.ExitCode)
				}
				for name, there := range w.made {
					if there {
						t.Errorf("%s is left", name)
					}
				}
			})
		})
	}
}

func TestFinallyJobsRunAfterFailFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := cleaned()
		guest(p, "fails", nil, nil)
		w.script["execute-fails"] = func(ctx context.Context, n int) (event.Outcome, error) {
			time.Sleep(time.Second)
			return fails(event.Test)(ctx, n)
		}
		c := w.config(p)
		c.FailFast, c.Capacity.Commands = true, 4
		s, _ := runtime.Run(t.Context(), c)
		wantVerdicts(t, s, map[string]string{"hangs": "cancelled", "waits": "cancelled", "cleans": "passed", "fails": "failed:test"})
	})
}

func TestTheSecondSignalDoesNotWaitForFinallyJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := cleaned()
		w.script["execute-cleans"] = hangs
		abandon := make(chan struct{})
		c := w.config(p)
		c.Abandon = abandon
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(runtime.ErrInterrupted) })
		time.AfterFunc(2*time.Second, func() { close(abandon) })
		s, _ := runtime.Run(ctx, c)
		wantVerdicts(t, s, map[string]string{"hangs": "cancelled", "waits": "cancelled", "cleans": "cancelled"})
	})
}

func TestALaneThatTakesTooLongFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := cleaned()
		p.Lanes[0].TimeoutSecs = 5
		guest(p, "longer", []string{"build"}, nil).Lane = "other"
		p.Lanes[0].Jobs = slices.DeleteFunc(p.Lanes[0].Jobs, func(id string) bool { return id == "longer" })
		p.Lanes = append(p.Lanes, plan.Lane{ID: "other", Chosen: true, Trigger: plan.Branch, Jobs: []string{"longer"}})
		w.script["execute-longer"] = func(context.Context, int) (event.Outcome, error) {
			time.Sleep(20 * time.Second)
			return event.Outcome{Verdict: event.Passed}, nil
		}
		c := w.config(p)
		c.Capacity.Commands = 4
		began := time.Now()
		s, err := runtime.Run(t.Context(), c)
		wantVerdicts(t, s, map[string]string{"hangs": "failed:timeout", "waits": "failed:timeout", "cleans": "passed", "longer": "passed"})
		if err != nil || s.ExitCode != runtime.ExitFailed || time.Since(began) != 20*time.Second {
			t.Errorf("%v, exit code %d after %s", err, s.ExitCode, time.Since(began))
		}
		if r := s.Jobs[0].Reason; r != "lane l not ended after 5 s" {
			t.Errorf("reason %q", r)
		}
		if s.Lanes[0].Verdict != event.Failed || s.Lanes[1].Verdict != event.Passed {
			t.Errorf("%+v", s.Lanes)
		}
	})
}

func TestARunThatTakesTooLongFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := cleaned()
		c := w.config(p)
		c.Timeout = 7 * time.Second
		began := time.Now()
		s, _ := runtime.Run(t.Context(), c)
		wantVerdicts(t, s, map[string]string{"hangs": "failed:timeout", "waits": "failed:timeout", "cleans": "passed"})
		if r := s.Jobs[0].Reason; r != "run not ended after 7 s" || s.ExitCode != runtime.ExitFailed || time.Since(began) != 7*time.Second {
			t.Errorf("reason %q, exit code %d after %s", r, s.ExitCode, time.Since(began))
		}
	})
}

func TestARunThatTakesTooLongBeforeItsNodesFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := cleaned()
		p.Lanes[0].HostSetup = [][]string{{"sleep"}}
		c := w.config(p)
		c.Timeout = time.Second
		c.HostSetup = func(ctx context.Context, _ []string) error { _, err := hangs(ctx, 1); return err }
		s, _ := runtime.Run(t.Context(), c)
		wantVerdicts(t, s, map[string]string{"hangs": "failed:timeout", "waits": "failed:timeout", "cleans": "failed:timeout"})
		if s.ExitCode != runtime.ExitFailed {
			t.Errorf("exit code %d", s.ExitCode)
		}
	})
}

func TestABuildThatTakesTooLongFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := cleaned()
		p.Nodes[0].NixBuild.TimeoutSecs = 3
		w.script["build"] = hangs
		c := w.config(p)
		c.InfraRetries = 2
		s, _ := runtime.Run(t.Context(), c)
		wantVerdicts(t, s, map[string]string{"hangs": "failed:prepare", "waits": "failed:prepare", "cleans": "failed:prepare"})
		if o := w.outcomes(t)["build"]; o.Failure != event.Timeout || o.Reason != "not built after 3 s" {
			t.Errorf("%+v", o)
		}
	})
}

// TestASilentCommandIsEnded runs a command that speaks every two seconds for
// ten, and then no more for twenty, under several limits.
func TestASilentCommandIsEnded(t *testing.T) {
	for limit, want := range map[int]string{1: "failed:timeout", 4: "failed:timeout", 0: "passed", 100: "passed"} {
		synctest.Test(t, func(t *testing.T) {
			p := onelane()
			guest(p, "job", nil, nil).SilenceSecs = limit
			w := newWorld()
			w.script["prepare-job-runner"] = func(context.Context, int) (event.Outcome, error) {
				time.Sleep(time.Minute) // no command is silent here
				return event.Outcome{Verdict: event.Passed}, nil
			}
			c := w.config(p)
			c.OpenJob = func(j *runtime.JobContext) (func() error, error) {
				j.Logs.Stdout, j.Logs.Stderr = io.Discard, io.Discard
				return func() error { return nil }, nil
			}
			c.Guests = speaker{}
			began := time.Now()
			s, _ := runtime.Run(t.Context(), c)
			wantVerdicts(t, s, map[string]string{"job": want})
			if limit == 4 && (s.Jobs[0].Reason != "no output for 4 s" || time.Since(began) != time.Minute+14*time.Second) {
				t.Errorf("%+v after %s", s.Jobs[0], time.Since(began))
			}
		})
	}
}

// speaker is a command that speaks on stdout and stderr in turn.
type speaker struct{}

func (speaker) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	logs := t.Job().Logs
	err := runtime.Phase(t.Emit, event.PhaseStarted{Phase: event.Command, Job: t.Job().Job.ID}, func() error {
		for i, wait := range []time.Duration{2, 2, 2, 2, 2, 20} {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(wait * time.Second):
			}
			fmt.Fprintln([]io.Writer{logs.Stdout, logs.Stderr}[i%2], "still here")
		}
		return nil
	})
	if err != nil {
		return event.Outcome{}, err
	}
	time.Sleep(time.Hour) // its artifacts arrive
	return event.Outcome{Verdict: event.Passed}, nil
}
