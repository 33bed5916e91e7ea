package incus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// leaseKind is the kind of lease that this package hands out.
const leaseKind = "incus_instance"

// Execute makes an instance, or runs a command in one.
func (x *Executor) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	if ctx.Err() != nil {
		return event.Outcome{}, context.Cause(ctx)
	}
	if t.Node.IncusInstance != nil {
		return x.create(ctx, t)
	}
	return x.runJob(ctx, t)
}

// createLimit is how long the making of one instance may take: a pool that
// can't clone unpacks the image each time.
const createLimit = 5 * time.Minute

// create makes the job's instance. It is journalled as intended before.
func (x *Executor) create(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	j := t.Job()
	lease := event.Lease{Kind: leaseKind, Name: InstanceName(j.ID, j.Job.ID), Project: x.options.Project,
		Node: t.Node.ID, Job: j.Job.ID}
	err := runtime.Phase(t.Emit, event.PhaseStarted{Phase: event.Create, Job: j.Job.ID, Detail: lease.Name}, func() error {
		placed := make(chan error, 1)
		go func() { placed <- x.program.place(j.RunContext) }()
		if err := errors.Join(t.Emit(event.Event{LeaseIntended: &lease}), <-placed); err != nil {
			return err
		}
		awaitStaged(ctx, t.Staged)
		return x.make(ctx, j, &lease)
	})
	if err != nil {
		return event.Outcome{}, fmt.Errorf("make instance %s: %w", lease.Name, err)
	}
	return event.Outcome{Verdict: event.Passed}, t.Emit(event.Event{LeaseTaken: &lease})
}

// stagedGrace is how long an instance waits to be made with its payloads. Those
// that were built before are there in a moment, while giving them to an instance
// that is made takes as long as this; other builds take longer anyway.
const stagedGrace = 20 * time.Millisecond

func awaitStaged(ctx context.Context, staged <-chan struct{}) {
	select {
	case <-staged:
	case <-time.After(stagedGrace):
	case <-ctx.Done():
	}
}

// make makes the instance and remembers it as it is then. A cancel does not end
// the server's work: an instance that came to be after it was looked for would
// be left behind, so its end is waited for.
func (x *Executor) make(ctx context.Context, j *runtime.JobContext, lease *event.Lease) error {
	var nics []string
	for _, profile := range j.Job.Incus.Profiles {
		nics = append(nics, x.nics[profile]...)
	}
	request := createInstance(x.options, j, x.program.dir(j.RunContext), nics)
	// That which New saw, whatever the alias is moved to meanwhile.
	if fingerprint := x.images[imageKey(j.Job.Incus)]; fingerprint != "" {
		request.Source.Alias, request.Source.Fingerprint = "", fingerprint
	}
	// Payloads that are there already go with the instance; others by an update.
	if devices, err := payloadDevices(j); err == nil {
		request.InstancePut = withPayloads(request.InstancePut, devices)
	}
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), createLimit)
	defer cancel()
	worth := func(err error) bool { return away(err) || errors.As(err, new(*takenError)) }
	err := retry(whole, worth, func(tried bool) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if tried {
			if err := x.Release(whole, *lease); err != nil {
				return err
			}
		}
		op, err := x.client(whole).CreateInstance(request)
		x.note(lease.Name, err)
		if err == nil {
			err = x.wait(whole, op)
		}
		if err != nil {
			return x.taken(whole, lease.Name, err)
		}
		instance, etag, err := x.client(whole).GetInstance(lease.Name)
		if err != nil {
			return err
		}
		lease.UUID = instance.Config["volatile.uuid"]
		x.mu.Lock()
		defer x.mu.Unlock()
		x.made[lease.Name] = made{instance: instance.Writable(), etag: etag}
		return nil
	})
	return errors.Join(err, context.Cause(ctx))
}

// note remembers whether an instance was asked for without an answer.
func (x *Executor) note(name string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if errors.As(err, new(*silentError)) || errors.Is(err, context.DeadlineExceeded) {
		x.unanswered[name] = true
	}
}

// mayCome reports whether an instance that is not there may come to be.
func (x *Executor) mayCome(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.unanswered[name]
}

// takenError means that an instance was not made because one of its name came
// to be meanwhile: a process of this run that was killed had asked for it.
type takenError struct{ err error }

func (e *takenError) Error() string { return e.err.Error() }
func (e *takenError) Unwrap() error { return e.err }

// taken gives a creation's error its reason, if it is that one.
func (x *Executor) taken(ctx context.Context, name string, err error) error {
	if away(err) || ctx.Err() != nil {
		return err
	}
	if _, _, lookErr := x.client(ctx).GetInstance(name); lookErr == nil {
		return &takenError{err}
	}
	return err
}

// startLimit is how long the server may take to give an instance its payloads
// and to start it; a virtual machine's agent has its own.
const startLimit = 10 * time.Minute

// start gives the instance the payloads that it was not made with, by one
// update, and starts it.
func (x *Executor) start(ctx context.Context, t runtime.Task, name string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("the server did not do it in %s", startLimit))
	defer cancel()
	j := t.Job()
	phase := func(p event.Phase, f func() error) error {
		return runtime.Phase(t.Emit, event.PhaseStarted{Phase: p, Job: j.Job.ID}, f)
	}
	x.mu.Lock()
	m, ok := x.made[name]
	delete(x.made, name)
	x.mu.Unlock()
	if !ok {
		return fmt.Errorf("instance %s was not made by this run", name)
	}
	devices, err := payloadDevices(j)
	if err != nil {
		return &payloadError{err}
	}
	if !m.running && !hasDevices(m.instance, devices) {
		if err := phase(event.Devices, func() error { return x.addDevices(ctx, name, m, devices) }); err != nil {
			return fmt.Errorf("give instance %s its payloads: %w", name, err)
		}
	}
	err = phase(event.Start, func() error {
		if !m.running {
			if err := x.boot(ctx, name, m); err != nil {
				return err
			}
		}
		return x.waitForAgent(ctx, j, name)
	})
	if err != nil {
		return fmt.Errorf("start instance %s: %w", name, err)
	}
	return nil
}

// addDevices is one update with all devices.
func (x *Executor) addDevices(ctx context.Context, name string, m made, devices api.DevicesMap) error {
	return m.step(ctx, func(tried bool) error {
		if tried {
			instance, etag, err := x.client(ctx).GetInstance(name)
			if err != nil {
				return err
			}
			m.instance, m.etag = instance.Writable(), etag
		}
		op, err := x.client(ctx).UpdateInstance(name, withPayloads(m.instance, devices), m.etag)
		if err != nil {
			return err
		}
		return x.wait(ctx, op)
	})
}

func (x *Executor) boot(ctx context.Context, name string, m made) error {
	return m.step(ctx, func(tried bool) error {
		if tried {
			state, _, err := x.client(ctx).GetInstanceState(name)
			if err != nil || state.StatusCode == api.Running {
				return err
			}
		}
		op, err := x.client(ctx).UpdateInstanceState(name, startInstance(), "")
		if err != nil {
			return err
		}
		return x.wait(ctx, op)
	})
}

// payloadError means that a payload can't be mounted: a failure of its build,
// not of the host.
type payloadError struct{ err error }

func (e *payloadError) Error() string { return e.err.Error() }
func (e *payloadError) Unwrap() error { return e.err }

// A virtual machine is ready once its agent answers.
const (
	agentLimit = 5 * time.Minute
	agentPause = 250 * time.Millisecond
)

func (x *Executor) waitForAgent(ctx context.Context, j *runtime.JobContext, name string) error {
	if j.Job.Incus.InstanceType != plan.VirtualMachine {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, agentLimit, fmt.Errorf("its agent did not answer for %s", agentLimit))
	defer cancel()
	for {
		state, _, err := x.client(ctx).GetInstanceState(name)
		switch {
		case err == nil && state.Processes >= 0:
			return nil
		case err == nil && state.StatusCode == api.Stopped:
			return errors.New("it stopped by itself")
		case err != nil && !away(err) && ctx.Err() == nil:
			return err
		}
		select {
		case <-time.After(agentPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Release deletes the instance of a lease, whether it runs or not. Right before
// it reads the instance again: one without this run's mark, or with another
// uuid, is not touched.
func (x *Executor) Release(ctx context.Context, l event.Lease) error {
	// Whatever the error: an instance that is being started can't be deleted
	// now, but soon.
	mayPass := func(err error) bool { return !errors.As(err, new(*foreignError)) }
	return retry(ctx, mayPass, func(bool) error { return x.release(ctx, l) })
}

// foreignError means that an instance of that name is not the lease's.
type foreignError struct{ name, why string }

func (e *foreignError) Error() string {
	return fmt.Sprintf("instance %s is not touched: %s", e.name, e.why)
}

// isOf is an error where an instance is not that of the lease.
func isOf(instance *api.Instance, l event.Lease) error {
	switch {
	case instance.Config[markNode] != l.Node || InstanceName(instance.Config[markRun], l.Job) != l.Name:
		return &foreignError{l.Name, "it does not bear the mark of this run"}
	case l.UUID != "" && instance.Config["volatile.uuid"] != l.UUID:
		return &foreignError{l.Name, "it is another one of the same name"}
	}
	return nil
}

func (x *Executor) release(ctx context.Context, l event.Lease) error {
	server := x.client(ctx)
	instance, _, err := server.GetInstance(l.Name)
	if isNotFound(err) && x.mayCome(l.Name) {
		return errors.New("the server did not say whether it makes the instance, and has none now")
	}
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := isOf(instance, l); err != nil {
		return err
	}
	if instance.StatusCode != api.Stopped {
		op, err := server.UpdateInstanceState(l.Name, stopInstance(), "")
		if err == nil {
			err = x.wait(ctx, op)
		}
		// It may have stopped by itself meanwhile: the deletion will tell.
		if err != nil && ctx.Err() != nil {
			return err
		}
	}
	op, err := server.DeleteInstance(l.Name)
	if err == nil {
		err = x.wait(ctx, op)
	}
	if err != nil && !isNotFound(err) || errors.Is(err, errForgotten) {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.unanswered, l.Name) // it came
	return nil
}

// RemoveCommand is what a person types to remove what a lease stands for.
func (x *Executor) RemoveCommand(l event.Lease) string {
	return fmt.Sprintf("incus delete --force --project %s %s", l.Project, l.Name)
}
