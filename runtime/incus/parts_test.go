package incus_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// A result hangs on what profiles say now, and on the image that an instance is
// made of, not on names alone.
func TestPartsHangOnWhatTheServerHasNow(t *testing.T) {
	server := server(t, "")
	profile := fmt.Sprintf("pikaci-test-%x", rand.Uint32())
	if err := server.CreateProfile(api.ProfilesPost{Name: profile}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.DeleteProfile(profile) })
	b := newBench(t, func(j *plan.Job) { j.Incus.Profiles = []string{"default", profile} })
	parts := func() []event.Part {
		p, err := connect(t, "", *b.job.Job).Parts(t.Context(), b.job)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	differing := func(a, b []event.Part) (names []string) {
		for i := range a {
			if a[i] != b[i] {
				names = append(names, a[i].Name)
			}
		}
		return names
	}
	first := parts()
	if got := differing(first, parts()); got != nil {
		t.Errorf("nothing changed, and %v differ", got)
	}
	if err := server.UpdateProfile(profile, api.ProfilePut{Config: api.ConfigMap{"user.x": "y"}}, ""); err != nil {
		t.Fatal(err)
	}
	if got := differing(first, parts()); !slices.Equal(got, []string{"profiles"}) {
		t.Errorf("a profile changed, and %v differ", got)
	}
	b.job.Job.Incus.CPUs = 2
	if got := differing(first, parts()); !slices.Equal(got, []string{"instance", "profiles"}) {
		t.Errorf("processors too, and %v differ", got)
	}
	b.create()
	made, _, err := server.GetInstance(b.name())
	if err != nil {
		t.Fatal(err)
	}
	if first[0].Name != "image" || made.Config["volatile.base_image"] != first[0].Value {
		t.Errorf("made of %q, looked up %+v", made.Config["volatile.base_image"], first[0])
	}
}
