package incus

import (
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/schema/plan"
)

// A guest reaches the network that its lane names, and no other, whatever its
// profiles bring.
func TestNetworksOfProfilesAreTakenAway(t *testing.T) {
	for _, c := range []struct {
		network string
		want    map[string]string
	}{
		{"none", map[string]string{"eth0": "none", "eth1": "none"}},
		{"lab", map[string]string{"eth0": "nic lab", "eth1": "none"}},
	} {
		run := runtime.NewRunContext("/state", "run", "/source")
		job := &plan.Job{ID: "job", Incus: &plan.Incus{InstanceType: plan.Container, Network: c.network}}
		p := createInstance(Options{}, &runtime.JobContext{RunContext: &run, Job: job}, "/program", []string{"eth0", "eth1"})
		for name, want := range c.want {
			d := p.Devices[name]
			got := d["type"]
			if d["network"] != "" {
				got += " " + d["network"]
			}
			if got != want {
				t.Errorf("network %s: %s is %q, want %q", c.network, name, got, want)
			}
		}
	}
}
