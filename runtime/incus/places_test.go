package incus

import (
	"testing"

	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/schema/plan"
)

// TestAPlanKnowsThePlacesOfAGuest holds what a plan may not mount over against
// where things lie in a guest.
func TestAPlanKnowsThePlacesOfAGuest(t *testing.T) {
	for _, place := range []string{guest.Snapshot, guest.ProgramDir, guest.Dir, guest.RunDir, storeDir} {
		if plan.GuestPathProblem(place) == "" || plan.GuestPathProblem(place+"/x") == "" {
			t.Errorf("a plan may mount a payload at %s", place)
		}
	}
}
