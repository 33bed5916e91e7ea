package incus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gorilla/websocket"
	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/process"
)

// Limits of waiting for a guest.
const (
	// backstop is how long after its own time limit a guest may take to say
	// that the command was stopped: TERM, KILL, artifacts.
	backstop = process.Grace + 50*time.Second
	// lostLimit is how long a lost connection is tried again without any
	// progress.
	lostLimit = 2 * time.Minute
	lostPause = 200 * time.Millisecond
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
	f := &follower{x: x, task: t, name: name}
	status, err := f.run(ctx)
	if err != nil {
		return event.Outcome{}, err
	}
	switch {
	case status.Broken != "":
		return event.Outcome{}, fmt.Errorf("in guest %s: %s", name, status.Broken)
	case status.Cancelled && ctx.Err() != nil:
		return event.Outcome{}, context.Cause(ctx)
	case status.Cancelled:
		return event.Outcome{}, errors.New("the command was stopped from inside the guest")
	}
	return runtime.OutcomeOf(j.Job, process.Exit{Code: status.Code, Signal: status.Signal,
		TimedOut: status.TimedOut, Problem: status.Problem}), nil
}

// call is one exec of the guest program.
type call struct {
	op   incus.Operation
	done chan bool
	// stop asks the job to stop, once it is closed.
	stop   chan struct{}
	stderr bytes.Buffer
}

// exec starts the guest program with input on its stdin; its stdout goes to
// out.
func (x *Executor) exec(name, verb string, input any, out io.Writer) (*call, error) {
	b, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	c := &call{done: make(chan bool), stop: make(chan struct{})}
	c.op, err = x.server.ExecInstance(name, execGuest(verb), &incus.InstanceExecArgs{
		Stdin: io.NopCloser(bytes.NewReader(b)), Stdout: out, Stderr: &limited{&c.stderr, 4 << 10},
		DataDone: c.done, Control: c.control,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// control sends TERM to the guest program when the job is to stop.
func (c *call) control(conn *websocket.Conn) {
	select {
	case <-c.stop:
		conn.WriteJSON(api.InstanceExecControl{Command: "signal", Signal: 15})
	case <-c.done:
	}
}

// limited drops what goes over its limit.
type limited struct {
	b    *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(l.left, len(p))
	l.b.Write(p[:n])
	l.left -= n
	return len(p), nil
}
