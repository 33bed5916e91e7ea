package main

import (
	"context"

	"github.com/sledtools/pikaci/runtime/incus"
)

// connectIncus connects to the host's Incus and asks for all that the plan
// needs there.
func (x *execution) connectIncus(ctx context.Context) (instances, error) {
	e, err := incus.New(ctx, x.incusOptions())
	if err != nil {
		return nil, err
	}
	return e, e.Preflight(x.jobs)
}

func (x *execution) incusOptions() incus.Options {
	in := x.runner.Incus
	return incus.Options{Socket: in.Socket, Project: in.Project, StoragePool: in.StoragePool}
}
