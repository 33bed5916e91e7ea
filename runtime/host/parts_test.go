package host_test

import (
	"reflect"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/host"
	"github.com/sledtools/pikaci/schema/plan"
)

// What the host passes on is part of a result, and no value of it is shown.
func TestPartsHangOnWhatIsPassed(t *testing.T) {
	env := map[string]string{"PATH": "/bin", "PASSED": "hunter2", "OTHER": "x"}
	job := &runtime.JobContext{Job: &plan.Job{}}
	parts := func() any {
		x := host.New(host.Options{PassEnv: []string{"PASSED"}, LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
		p, err := x.Parts(t.Context(), job)
		if err != nil || len(p) != 3 || p[1].Name != "host_env" || len(p[1].Value) != 64 {
			t.Fatalf("%+v, %v", p, err)
		}
		return p
	}
	first := parts()
	env["OTHER"] = "y"
	if got := parts(); !reflect.DeepEqual(got, first) {
		t.Errorf("what is not passed changes %+v to %+v", first, got)
	}
	job.Job.DevShell = "default"
	if got := parts(); reflect.DeepEqual(got, first) {
		t.Error("another development shell changes nothing")
	}
	job.Job.DevShell = ""
	for _, name := range []string{"PATH", "PASSED"} {
		before := env[name]
		env[name] = "changed"
		if got := parts(); reflect.DeepEqual(got, first) {
			t.Errorf("%s changes nothing", name)
		}
		env[name] = before
	}
}
