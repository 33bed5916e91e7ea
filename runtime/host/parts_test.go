package host_test

import (
	"context"
	"errors"
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

// A job that reads a part of the snapshot does not read what its development
// shell is made of: the very shell is a part.
func TestTheShellOfAJobThatReadsAPart(t *testing.T) {
	drv, broken := "/nix/store/a.drv", error(nil)
	x := host.New(host.Options{LookupEnv: func(string) (string, bool) { return "", false },
		ShellDerivation: func(context.Context, *runtime.RunContext, string) (string, error) { return drv, broken }})
	job := &runtime.JobContext{Job: &plan.Job{DevShell: "default", Reads: []string{"src/**"}}}
	part := func() string {
		p, err := x.Parts(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		return p[2].Value
	}
	if first := part(); first != "default /nix/store/a.drv" {
		t.Error(first)
	}
	drv = "/nix/store/b.drv"
	if got := part(); got != "default /nix/store/b.drv" {
		t.Error(got)
	}
	job.Job.Reads = nil
	if got := part(); got != "default" {
		t.Errorf("with the whole snapshot: %q", got)
	}
	job.Job.Reads, broken = []string{}, errors.New("no flake")
	if _, err := x.Parts(t.Context(), job); !errors.Is(err, broken) {
		t.Error(err)
	}
}
