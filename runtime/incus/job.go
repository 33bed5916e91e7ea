package incus

import (
	"context"
	"errors"
	"fmt"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/process"
)

// runJob starts the job's instance, runs its command, and follows it to its
// end, over lost connections too.
func (x *Executor) runJob(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	j := t.Job()
	name := InstanceName(j.ID, j.Job.ID)
	if err := x.start(ctx, t, name); err != nil {
		if p := new(payloadError); errors.As(err, &p) {
			return event.Outcome{Verdict: event.Failed, Failure: event.Prepare, Reason: p.Error()}, nil
		}
		return event.Outcome{}, err
	}
	f := &follower{x: x, task: t, name: name, start: guestStart(j, t.Node.GuestCommand.Command)}
	status, err := f.run(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return event.Outcome{}, errors.Join(context.Cause(ctx), err)
	case err != nil:
		return event.Outcome{}, err
	// A guest that was asked to stop may be unable to say that it did.
	case (status.Cancelled || status.Broken != "") && ctx.Err() != nil:
		return event.Outcome{}, context.Cause(ctx)
	case status.Broken != "":
		return event.Outcome{}, fmt.Errorf("in guest %s: %s", name, status.Broken)
	case status.Cancelled:
		return event.Outcome{}, fmt.Errorf("in guest %s: the command was stopped from inside", name)
	}
	return runtime.OutcomeOf(j.Job, process.Exit{Code: status.Code, Signal: status.Signal,
		TimedOut: status.TimedOut, Problem: status.Problem}), nil
}
