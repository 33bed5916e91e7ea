package incus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/schema/plan"
)

// Shell is a command to run by hand in a kept instance, as the job's user, with
// its environment but its secrets, in its folder.
type Shell struct {
	Lease   event.Lease
	Job     *runtime.JobContext
	Command []string
	// Term is TERM where there is a terminal.
	Term string

	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Terminal says that all three are one, and how large it is; Resized tells
	// of its new sizes.
	Terminal bool
	Size     Size
	Resized  <-chan Size
}

// guestPath is PATH in a job's command where the job says nothing of it: the
// guest program's.
const guestPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"

// Size is of a terminal, in characters.
type Size struct{ Width, Height int }

// ErrNotThere means that the instance of a lease is gone.
var ErrNotThere = errors.New("the instance is gone")

// Shell runs the command to its end and gives its exit code. An instance that is
// stopped is started first.
func (x *Executor) Shell(ctx context.Context, s Shell) (int, error) {
	instance, etag, err := x.client(ctx).GetInstance(s.Lease.Name)
	if isNotFound(err) {
		return 0, ErrNotThere
	}
	if err == nil {
		err = isOf(instance, s.Lease)
	}
	if err != nil {
		return 0, err
	}
	if instance.StatusCode != api.Running {
		in := *s.Job.Job.Incus // the host may have decided otherwise
		in.InstanceType = plan.InstanceType(instance.Type)
		job := *s.Job.Job
		job.Incus = &in
		c := *s.Job
		c.Job, s.Job = &job, &c
		if err := x.wake(ctx, s, made{instance: instance.Writable(), etag: etag}); err != nil {
			return 0, fmt.Errorf("start instance %s: %w", s.Lease.Name, err)
		}
	}
	group, err := x.groupOf(ctx, s.Lease.Name, s.Job.Job.User)
	if err != nil {
		return 0, fmt.Errorf("read the users of instance %s: %w", s.Lease.Name, err)
	}
	return x.interact(ctx, s, group)
}

// wake starts an instance that stopped since its command ended, and mounts the
// job's workspace again, which does not outlive a stop.
func (x *Executor) wake(ctx context.Context, s Shell, m made) error {
	if err := x.boot(ctx, s.Lease.Name, m); err != nil {
		return err
	}
	if err := x.waitForAgent(ctx, s.Job, s.Lease.Name); err != nil {
		return err
	}
	if !s.Job.Job.WritableWorkspace {
		return nil
	}
	again := s
	again.Command = []string{"mount", "--bind", guest.Dir + "/workspace", guest.Snapshot}
	again.Terminal, again.Stdin, again.Stdout = false, strings.NewReader(""), io.Discard
	code, err := x.attach(ctx, again, api.InstanceExecPost{Command: again.Command, WaitForWS: true, Cwd: "/"})
	if err == nil && code != 0 {
		err = fmt.Errorf("its workspace can't be mounted: mount exits with %d", code)
	}
	return err
}

// groupOf is the group of a user in the guest's /etc/passwd, as the guest
// program takes it: the number itself where it knows no such user.
func (x *Executor) groupOf(ctx context.Context, name string, user int) (int, error) {
	content, _, err := x.client(ctx).GetInstanceFile(name, "/etc/passwd")
	if isNotFound(err) {
		return user, nil
	}
	if err != nil {
		return 0, err
	}
	defer content.Close()
	b, err := io.ReadAll(io.LimitReader(content, 1<<20))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) >= 4 && f[2] == strconv.Itoa(user) {
			if group, err := strconv.Atoi(f[3]); err == nil {
				return group, nil
			}
		}
	}
	return user, nil
}

// interact runs the command as the job's.
func (x *Executor) interact(ctx context.Context, s Shell, group int) (int, error) {
	env := map[string]string{"PATH": guestPath}
	j := *s.Job
	j.Secrets = nil // whoever may list operations sees an exec's environment
	maps.Copy(env, j.Environment(runtime.GuestArtifactsDir))
	env["HOME"] = guest.Dir + "/home"
	if s.Term != "" {
		env["TERM"] = s.Term
	}
	return x.attach(ctx, s, api.InstanceExecPost{Command: s.Command, WaitForWS: true, Interactive: s.Terminal,
		Environment: env, Width: s.Size.Width, Height: s.Size.Height,
		User: uint32(s.Job.Job.User), Group: uint32(group), Cwd: s.Job.Job.WorkingDir})
}

// attach runs a command with the streams of a shell.
func (x *Executor) attach(ctx context.Context, s Shell, post api.InstanceExecPost) (int, error) {
	over := make(chan struct{})
	defer close(over)
	drained := make(chan bool)
	args := incus.InstanceExecArgs{Stdin: s.Stdin, Stdout: s.Stdout, Stderr: s.Stderr, DataDone: drained,
		Control: func(conn *websocket.Conn) { resize(conn, s.Resized, over) }}
	op, err := x.client(ctx).ExecInstance(s.Lease.Name, post, &args)
	if err != nil {
		return 0, err
	}
	ended, _, err := x.client(ctx).GetOperationWaitSecret(op.Get().ID, "", -1)
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case err != nil:
		return 0, err
	case ended.Err != "":
		return 0, errors.New(ended.Err)
	}
	select {
	case <-drained:
	case <-time.After(drainLimit): // something that it left behind holds its output
	}
	code, ok := ended.Metadata["return"].(float64)
	if !ok {
		return 0, errors.New("the server does not say how it ended")
	}
	return int(code), nil
}

// drainLimit is how long the last output of a shell that has ended may take.
const drainLimit = 5 * time.Second

// resize tells the server of each new size until over is closed.
func resize(conn *websocket.Conn, sizes <-chan Size, over <-chan struct{}) {
	for {
		select {
		case size := <-sizes:
			conn.WriteJSON(api.InstanceExecControl{Command: "window-resize", Args: map[string]string{
				"width": strconv.Itoa(size.Width), "height": strconv.Itoa(size.Height)}})
		case <-over:
			conn.Close()
			return
		}
	}
}
