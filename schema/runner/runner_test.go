package runner_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/schema/plan"
	"github.com/sledtools/pikaci/schema/runner"
)

// aPlan has a guest job, a host job and host_setup. It asks for 4 cpus, 8 GiB.
func aPlan() *plan.Plan {
	return &plan.Plan{
		Lanes: []plan.Lane{
			{ID: "chosen", Chosen: true, HostSetup: [][]string{{"true"}}},
			{ID: "other", HostSetup: [][]string{{"true"}}},
		},
		Jobs: []plan.Job{
			{ID: "guest", TimeoutSecs: 600, Secrets: []string{"TOKEN"}, Incus: &plan.Incus{Image: "pikaci/dev",
				InstanceType: plan.VirtualMachine, CPUs: 4, Memory: "8GiB", Profiles: []string{"default", "kvm"}, Network: "lab"}},
			{ID: "host", TimeoutSecs: 300},
		},
	}
}

func TestRefuse(t *testing.T) {
	granted := map[string]runner.Secret{"TOKEN": {Env: "T"}}
	type ceilings = runner.Ceilings
	for name, tt := range map[string]struct {
		ceilings ceilings
		want     string // "" where it is allowed
	}{
		"none":               {ceilings{}, ""},
		"empty lists":        {ceilings{Images: []string{}, Profiles: []string{}, Networks: []string{}, InstanceTypes: []plan.InstanceType{}}, ""},
		"jobs":               {ceilings{Jobs: 2}, ""},
		"too many jobs":      {ceilings{Jobs: 1}, "2 jobs: this runner allows 1"},
		"timeout":            {ceilings{TimeoutSecs: 600}, ""},
		"too long":           {ceilings{TimeoutSecs: 299}, "job \"guest\": timeout_secs 600: this runner allows 299\njob \"host\": timeout_secs 300: this runner allows 299"},
		"cpus":               {ceilings{CPUs: 4}, ""},
		"too many cpus":      {ceilings{CPUs: 3}, `job "guest": cpus 4: this runner allows 3`},
		"memory":             {ceilings{Memory: "8192MiB"}, ""},
		"too much memory":    {ceilings{Memory: "8191MiB"}, `job "guest": memory 8GiB: this runner allows 8191MiB`},
		"instance type":      {ceilings{InstanceTypes: []plan.InstanceType{plan.Container, plan.VirtualMachine}}, ""},
		"not that type":      {ceilings{InstanceTypes: []plan.InstanceType{plan.Container}}, `job "guest": instance_type virtual-machine: this runner allows ["container"]`},
		"image":              {ceilings{Images: []string{"x", "pikaci/*"}}, ""},
		"not that image":     {ceilings{Images: []string{"*", "pikaci", "pikaci/dev2"}}, `job "guest": image "pikaci/dev": this runner allows ["*" "pikaci" "pikaci/dev2"]`},
		"profiles":           {ceilings{Profiles: []string{"kvm", "default", "x"}}, ""},
		"not that profile":   {ceilings{Profiles: []string{"default"}}, `job "guest": profile "kvm": this runner allows ["default"]`},
		"network":            {ceilings{Networks: []string{"lab"}}, ""},
		"not that network":   {ceilings{Networks: []string{"none"}}, `job "guest": network "lab": this runner allows ["none"]`},
		"nothing on hosts":   {ceilings{NoHostJobs: true}, "lane \"chosen\": host_setup: this runner runs nothing on the host\njob \"host\": this runner runs nothing on the host"},
		"all at once":        {ceilings{Jobs: 1, CPUs: 1, Memory: "1GiB"}, "2 jobs: this runner allows 1\njob \"guest\": cpus 4: this runner allows 1\njob \"guest\": memory 8GiB: this runner allows 1GiB"},
		"what exec enforces": {ceilings{Parallel: 1, LogBytes: 1, ArtifactBytes: 1, ArtifactFiles: 1}, ""},
	} {
		f := &runner.File{Ceilings: tt.ceilings, Secrets: granted}
		got := ""
		if err := f.Refuse(aPlan()); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q\nwant %q", name, got, tt.want)
		}
	}
}

func TestRefuseSecretsThatAreNotGranted(t *testing.T) {
	f := &runner.File{Secrets: map[string]runner.Secret{"OTHER": {Env: "T"}}}
	err := f.Refuse(aPlan())
	if want := `job "guest": secret TOKEN: this runner grants none of that name`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestNoNetworkIsAlwaysAllowed(t *testing.T) {
	p := aPlan()
	p.Jobs[0].Incus.Network, p.Jobs[0].Secrets = "none", nil
	if err := (&runner.File{Ceilings: runner.Ceilings{Networks: []string{"lab"}}}).Refuse(p); err != nil {
		t.Error(err)
	}
}

// TestEveryCeilingIsTested fails where one is added and TestRefuse not.
func TestEveryCeilingIsTested(t *testing.T) {
	if n := reflect.TypeFor[runner.Ceilings]().NumField(); n != 13 {
		t.Errorf("%d ceilings: TestRefuse knows 13", n)
	}
}

func TestOverride(t *testing.T) {
	p := aPlan()
	(&runner.File{}).Override(p)
	if !reflect.DeepEqual(p, aPlan()) {
		t.Errorf("nothing to override: %+v", p.Jobs[0].Incus)
	}
	f := &runner.File{Incus: runner.Incus{Image: "own", InstanceType: plan.Container, Profiles: []string{}, Project: "p"}}
	f.Override(p)
	want := aPlan()
	want.Jobs[0].Incus.Image, want.Jobs[0].Incus.InstanceType, want.Jobs[0].Incus.Profiles = "own", plan.Container, []string{}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v", p.Jobs[0].Incus)
	}
	f.Incus.Profiles = []string{"a"}
	f.Override(p)
	p.Jobs[0].Incus.Profiles[0] = "changed"
	if f.Incus.Profiles[0] != "a" {
		t.Error("the plan shares the file's profiles")
	}
}

// TestOverrideComesFirst: ceilings are held against what will be made.
func TestOverrideComesFirst(t *testing.T) {
	p := aPlan()
	f := &runner.File{Incus: runner.Incus{Image: "own"}, Ceilings: runner.Ceilings{Images: []string{"own"}},
		Secrets: map[string]runner.Secret{"TOKEN": {Env: "T"}}}
	if f.Refuse(p) == nil {
		t.Error("the plan's own image is allowed")
	}
	f.Override(p)
	if err := f.Refuse(p); err != nil {
		t.Error(err)
	}
}

func TestValues(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		full := filepath.Join(dir, name)
		if err := os.WriteFile(full, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return full
	}
	large := strings.Repeat("s3cret!!", 8<<10)
	env := map[string]string{"SET": "from env\n", "EMPTY": "", "LARGE": large + "x", "ALL": large, "NUL": "s3cret\x00"}
	getenv := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for name, tt := range map[string]struct {
		secret    runner.Secret
		want, err string
	}{
		"env":               {runner.Secret{Env: "SET"}, "from env\n", ""},
		"largest env":       {runner.Secret{Env: "ALL"}, large, ""},
		"no such env":       {runner.Secret{Env: "NONE"}, "", "variable NONE is not set"},
		"empty env":         {runner.Secret{Env: "EMPTY"}, "", "variable EMPTY is not set"},
		"large env":         {runner.Secret{Env: "LARGE"}, "", "variable LARGE: want 1 to 65536 bytes"},
		"NUL in env":        {runner.Secret{Env: "NUL"}, "", "variable NUL holds a NUL character"},
		"file":              {runner.Secret{File: file("a", "s3cret\n")}, "s3cret", ""},
		"file, no newline":  {runner.Secret{File: file("b", "s3cret")}, "s3cret", ""},
		"file, two at end":  {runner.Secret{File: file("c", "a\nb\n\n")}, "a\nb\n", ""},
		"largest file":      {runner.Secret{File: file("d", large+"\n")}, large, ""},
		"large file":        {runner.Secret{File: file("e", large+"x")}, "", "want 1 to 65536 bytes"},
		"larger file":       {runner.Secret{File: file("f", large+large)}, "", "want 1 to 65536 bytes"},
		"newline in middle": {runner.Secret{File: file("g", large+"\nmore")}, "", "want 1 to 65536 bytes"},
		"two newlines":      {runner.Secret{File: file("h", large+"\n\n")}, "", "want 1 to 65536 bytes"},
		"empty file":        {runner.Secret{File: file("i", "")}, "", "want 1 to 65536 bytes"},
		"only a newline":    {runner.Secret{File: file("j", "\n")}, "", "want 1 to 65536 bytes"},
		"NUL in file":       {runner.Secret{File: file("k", "s3cret\x00x")}, "", "holds a NUL character"},
		"no such file":      {runner.Secret{File: filepath.Join(dir, "none")}, "", "no such file"},
		"folder":            {runner.Secret{File: dir}, "", "is a directory"},
		"not granted":       {runner.Secret{}, "", "this runner grants none of that name"},
	} {
		f := &runner.File{Secrets: map[string]runner.Secret{"TOKEN": tt.secret}}
		got, err := f.Values(aPlan().Jobs, getenv)
		if tt.err == "" {
			if err != nil || got["TOKEN"] != tt.want || len(got) != 1 {
				t.Errorf("%s: %d bytes, %v", name, len(got["TOKEN"]), err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "secret TOKEN: ") || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %v, want %s", name, err, tt.err)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
}

// TestValuesOnlyOfWhatIsAsked: other secrets are not even looked at.
func TestValuesOnlyOfWhatIsAsked(t *testing.T) {
	p := aPlan()
	p.Jobs[1].Secrets = []string{"TOKEN"}
	asked := 0
	f := &runner.File{Secrets: map[string]runner.Secret{"TOKEN": {Env: "T"}, "OTHER": {File: "/not/there"}}}
	got, err := f.Values(p.Jobs, func(string) (string, bool) { asked++; return "v", true })
	if err != nil || !reflect.DeepEqual(got, map[string]string{"TOKEN": "v"}) || asked != 1 {
		t.Errorf("got %v, %v, asked %d times", got, err, asked)
	}
}
