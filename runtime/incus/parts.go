package incus

import (
	"context"
	"fmt"
	"strings"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// Parts are what a job's result hangs on of its instance, as New found
// it: a later run whose job has the same parts has the same instance.
func (x *Executor) Parts(_ context.Context, j *runtime.JobContext) ([]event.Part, error) {
	in := j.Job.Incus
	x.mu.Lock()
	defer x.mu.Unlock()
	fingerprint := x.images[imageKey(in)]
	if fingerprint == "" {
		return nil, fmt.Errorf("image %s was not looked up", in.Image)
	}
	var profiles []string
	for _, name := range in.Profiles {
		profiles = append(profiles, name+" "+x.profiles[name])
	}
	// A virtual machine has a kernel of its own, and yet the host's processor.
	host := x.kernel
	if in.InstanceType == plan.VirtualMachine {
		host = host[strings.LastIndexByte(host, ' ')+1:]
	}
	return []event.Part{
		{Name: "image", Value: fingerprint},
		{Name: "instance", Value: fmt.Sprintf("%s, %d cpus, %s", in.InstanceType, in.CPUs, in.Memory)},
		{Name: "network", Value: in.Network},
		{Name: "profiles", Value: strings.Join(profiles, ", ")},
		{Name: "storage_pool", Value: x.options.StoragePool},
		{Name: "kernel", Value: host},
		{Name: "guest_program", Value: x.program.digest},
		{Name: "guest_runner", Value: in.GuestRunner},
	}, nil
}

// imageKey names an image of one type; an alias may stand for one of each.
func imageKey(in *plan.Incus) string { return string(in.InstanceType) + " image " + in.Image }
