package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

func drawScript(rt *rapid.T, n *plan.Node) func(context.Context, int) (event.Outcome, error) {
	takes := time.Duration(rapid.IntRange(0, 3).Draw(rt, "takes")) * time.Second
	end := rapid.SampledFrom([]string{"pass", "pass", "pass", "fail", "error"}).Draw(rt, "end")
	return func(ctx context.Context, attempt int) (event.Outcome, error) {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return event.Outcome{}, context.Cause(ctx)
		}
		switch {
		case end == "fail" && n.Prepares():
			return fails(event.Prepare)(ctx, attempt)
		case end == "fail":
			return fails(event.Test)(ctx, attempt)
		case end == "error":
			return event.Outcome{}, errors.New("no connection")
		}
		return event.Outcome{Verdict: event.Passed}, nil
	}
}

func (w *world) holds(t *rapid.T, p *plan.Plan, s runtime.Summary, jobs int) {
	out := w.outcomes(t)
	if len(out) != len(p.Nodes) || len(s.Jobs) != jobs {
		t.Fatalf("%d of %d nodes and %d of %d jobs ended", len(out), len(p.Nodes), len(s.Jobs), jobs)
	}
	for name, there := range w.made {
		if there {
			t.Fatalf("%s is left", name)
		}
	}
	finally := map[string]bool{}
	for _, j := range p.Jobs {
		finally[plan.ExecuteID(j.ID)] = j.Finally
	}
	w.cleansUp(t, out, finally)
	byID := map[string]*plan.Node{}
	for i := range p.Nodes {
		byID[p.Nodes[i].ID] = &p.Nodes[i]
	}
	ended := map[string]event.Verdict{}
	for _, e := range w.events {
		if f := e.NodeFinished; f != nil {
			ended[f.Node] = f.Verdict
		}
		if e.NodeStarted == nil {
			continue
		}
		n := byID[e.NodeStarted.Node]
		for _, d := range n.DependsOn {
			v, over := ended[d]
			soft := finally[n.ID] && !byID[d].Prepares()
			if !over || v != event.Passed && v != event.Cached && !soft {
				t.Fatalf("%s started while %s was %q", n.ID, d, v)
			}
		}
	}
	if s.ExitCode == 0 {
		for _, j := range s.Jobs {
			if j.Verdict != event.Passed && j.Verdict != event.Cached {
				t.Fatalf("exit code 0 with %+v", j)
			}
		}
	}
}

// cleansUp checks that a finally job of a lane of which a command was begun is
// not cancelled, whatever ends the run, unless the journal is broken.
func (w *world) cleansUp(t *rapid.T, out map[string]event.Outcome, finally map[string]bool) {
	begun := slices.ContainsFunc(w.events, func(e event.Event) bool {
		isFinally, isCommand := false, false
		if e.NodeStarted != nil {
			isFinally, isCommand = finally[e.NodeStarted.Node]
		}
		return isCommand && !isFinally
	})
	for id, is := range finally {
		if is && begun && w.brokenAt == 0 && out[id].Verdict == event.Cancelled {
			t.Fatalf("%s is cancelled, and a command was begun: %+v", id, out[id])
		}
	}
}

// drawPlan is a plan of that many jobs.
func drawPlan(rt *rapid.T, jobs int) *plan.Plan {
	p := onelane()
	for i := range jobs {
		var builds, needs []string
		for b := range rapid.IntRange(0, 3).Draw(rt, "builds") {
			builds = append(builds, fmt.Sprintf("build-%d-%d", i%2, b))
		}
		for n := range i {
			if rapid.IntRange(0, 3).Draw(rt, "needs") == 0 {
				needs = append(needs, fmt.Sprint("j", n))
			}
		}
		j := guest(p, fmt.Sprint("j", i), builds, needs)
		j.Finally = rapid.IntRange(0, 4).Draw(rt, "finally") == 0
		j.Retries = rapid.IntRange(0, 2).Draw(rt, "retries")
	}
	return p
}

// Logs are open while a node of their job runs, and no longer: a run may have
// more jobs than a process files. A job that never began has none.
func TestLogsAreOpenWhileTheirJobRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		for i := range 50 {
			guest(p, fmt.Sprint("j", i), nil, nil)
		}
		guest(p, "skipped", nil, []string{"j0"})
		w := newWorld()
		w.script["execute-j0"] = fails(event.Test)
		c := w.config(p)
		open, most, opened, closed := 0, 0, 0, 0
		c.OpenJob = func(*runtime.JobContext) (func() error, error) {
			open++
			opened++
			most = max(most, open)
			return func() error { open--; closed++; return nil }, nil
		}
		if s, err := runtime.Run(t.Context(), c); err != nil || len(s.Jobs) != 51 {
			t.Fatalf("%+v, %v", s, err)
		}
		// The skipped one's instance may be made before the job fails that it needs.
		if most > 2*c.Capacity.Commands+1 || opened < 50 || opened > 51 || closed != opened {
			t.Errorf("%d at one time, %d opened, %d closed", most, opened, closed)
		}
	})
}

// A job whose logs can't be opened could not be carried out; others are.
func TestLogsThatCantBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := onelane()
		guest(p, "a", nil, nil)
		guest(p, "b", nil, nil)
		w := newWorld()
		c := w.config(p)
		c.OpenJob = func(j *runtime.JobContext) (func() error, error) {
			if j.Job.ID == "a" {
				return nil, errors.New("too many open files")
			}
			return func() error { return nil }, nil
		}
		s, _ := runtime.Run(t.Context(), c)
		if s.ExitCode != runtime.ExitInfra || s.Jobs[0].Failure != event.Infra || s.Jobs[1].Verdict != event.Passed || w.executed["prepare-a-runner"] > 0 {
			t.Errorf("%+v, %v", s, w.executed)
		}
	})
}
