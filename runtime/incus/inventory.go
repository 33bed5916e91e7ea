package incus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime/event"
)

// Found is an instance that bears the mark of this executor's state root.
type Found struct {
	Name, Project  string
	Run, Node, Job string
	UUID           string
	Created        time.Time
	// KeptUntil is the zero time unless the run kept it.
	KeptUntil time.Time
}

// MarkRoot has all instances that are made from now on marked as of the state
// root of that id. It is called before any is.
func (x *Executor) MarkRoot(id string) { x.options.Root = id }

// Inventory is what there is of the state root in all projects: whole, or an
// error. An instance of another state root, whose runs nobody here knows
// anything of, is not in it; nor is one without our marks.
func (x *Executor) Inventory(ctx context.Context) ([]Found, error) {
	if x.options.Root == "" {
		return nil, errors.New("BUG: an inventory of no state root")
	}
	list, err := x.client(ctx).GetInstancesAllProjectsWithFilter(api.InstanceTypeAny,
		[]string{"config." + markRoot + " eq " + x.options.Root})
	if err != nil {
		return nil, fmt.Errorf("list the instances of this state root: %w", err)
	}
	var found []Found
	for i := range list {
		if f, ok := x.found(&list[i]); ok {
			found = append(found, f)
		}
	}
	return found, nil
}

// found is the instance if its marks are ours, all of them: its name follows
// from run and job.
func (x *Executor) found(i *api.Instance) (Found, bool) {
	f := Found{Name: i.Name, Project: i.Project, Run: i.Config[markRun], Node: i.Config[markNode],
		Job: i.Config[markJob], UUID: i.Config["volatile.uuid"], Created: i.CreatedAt,
		KeptUntil: keptUntil(i.Config)}
	return f, i.Config[markRoot] == x.options.Root && f.Run != "" && f.Node != "" && InstanceName(f.Run, f.Job) == f.Name
}

// Remove deletes an instance of the inventory, if it is gone already or still
// the very same: its marks, uuid and age are read again right before.
func (x *Executor) Remove(ctx context.Context, f Found) error {
	mayPass := func(err error) bool { return !errors.As(err, new(*foreignError)) }
	return retry(ctx, mayPass, func(bool) error {
		server := x.client(ctx).UseProject(f.Project)
		instance, _, err := server.GetInstance(f.Name)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		// An answer about one instance need not name its project.
		instance.Project = f.Project
		if now, ours := x.found(instance); !ours || now.UUID != f.UUID || !now.Created.Equal(f.Created) || now.Run != f.Run {
			return &foreignError{f.Name, "it is another one than was listed"}
		}
		return x.inProject(f.Project).release(ctx, f.Lease())
	})
}

// Lease is what the run that made the instance journalled.
func (f Found) Lease() event.Lease {
	return event.Lease{Kind: leaseKind, Name: f.Name, Project: f.Project, Node: f.Node, Job: f.Job, UUID: f.UUID}
}

// inProject is the executor for another project, to take things back in.
func (x *Executor) inProject(project string) *Executor {
	o := x.options
	o.Project = project
	return &Executor{options: o, server: x.server}
}
