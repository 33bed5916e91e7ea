package main

import (
	"context"

	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/record"
)

// connectIncus connects to the host's Incus and asks for all that the plan
// needs there.
func (x *execution) connectIncus(ctx context.Context) (instances, error) {
	e, err := incus.New(ctx, x.incusOptions(), x.jobs...)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// markRoot has the instances marked as this state root's, by which gc knows
// them.
func (x *execution) markRoot(e *executors) error {
	if e.guests == nil {
		return nil
	}
	root, err := record.RootID(x.stateRoot, true)
	if err == nil {
		e.guests.MarkRoot(root)
	}
	return err
}

func (x *execution) incusOptions() incus.Options {
	in := x.runner.Incus
	return incus.Options{Socket: in.Socket, Project: in.Project, StoragePool: in.StoragePool}
}
