package runtime

import (
	"fmt"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/process"
	"github.com/sledtools/pikaci/schema/plan"
)

// OutcomeOf is the outcome of a job whose command ended so.
func OutcomeOf(j *plan.Job, e process.Exit) event.Outcome {
	o := event.Outcome{Verdict: event.Passed, Reason: e.Problem, Signal: e.Signal}
	if e.Signal == "" {
		o.ExitCode = &e.Code
	}
	switch {
	case e.TimedOut:
		o.Verdict, o.Failure = event.Failed, event.Timeout
		o.Reason = fmt.Sprintf("not ended after %d s", j.TimeoutSecs)
	case e.Code != 0 || e.Signal != "":
		o.Verdict, o.Failure = event.Failed, event.Test
	}
	return o
}
