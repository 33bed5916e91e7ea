package compiler

import (
	"testing"

	"github.com/sledtools/pikaci/schema/plan"
)

// A job is reused by default where the plan knows all that it can see.
func TestReusedByDefault(t *testing.T) {
	yes, no := true, false
	for name, c := range map[string]struct {
		lane laneFile
		job  jobFile
		want bool
	}{
		"in a guest":                  {want: true},
		"in a guest, and said not":    {job: jobFile{cache: &no}},
		"with a network":              {lane: laneFile{incus: plan.Incus{Network: "incusbr0"}}},
		"with a network, and vouched": {lane: laneFile{incus: plan.Incus{Network: "incusbr0"}}, job: jobFile{cache: &yes}, want: true},
		"on the host":                 {job: jobFile{host: true}},
		"on the host, and vouched":    {job: jobFile{host: true, cache: &yes}, want: true},
		"finally":                     {job: jobFile{finally: true}},
		"with a secret":               {job: jobFile{secrets: []string{"TOKEN"}}},
	} {
		if c.lane.incus.Network == "" {
			c.lane.incus = defaultIncus()
		}
		if got := reused(&c.lane, &c.job); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
