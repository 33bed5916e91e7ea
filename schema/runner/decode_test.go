package runner_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/schema/plan"
	"github.com/sledtools/pikaci/schema/runner"
)

// full is a runner file that sets every field.
const full = `{
  "schema_version": 1,
  "incus": {"socket": "/s", "project": "p", "storage_pool": "pool", "image": "i", "instance_type": "container", "profiles": ["a"]},
  "nix": {"settings": {"max-jobs": "2"}},
  "state_root": "/state",
  "parallel": 3,
  "ceilings": {
    "cpus": 4, "memory": "8GiB", "timeout_secs": 60, "parallel": 2, "jobs": 5,
    "instance_types": ["container", "virtual-machine"], "images": ["pikaci/*"], "profiles": ["a"], "networks": ["n"],
    "no_host_jobs": true, "log_bytes": 1, "artifact_bytes": 2, "artifact_files": 3
  },
  "secrets": {"TOKEN": {"file": "/t"}, "KEY": {"env": "K"}},
  "host_env": ["SSH_AUTH_SOCK"]
}
`

func TestDecode(t *testing.T) {
	got, err := runner.Decode([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := &runner.File{
		SchemaVersion: 1,
		Incus: runner.Incus{Socket: "/s", Project: "p", StoragePool: "pool", Image: "i",
			InstanceType: plan.Container, Profiles: []string{"a"}},
		Nix:       runner.Nix{Settings: map[string]string{"max-jobs": "2"}},
		StateRoot: "/state", Parallel: 3,
		Ceilings: runner.Ceilings{CPUs: 4, Memory: "8GiB", TimeoutSecs: 60, Parallel: 2, Jobs: 5,
			InstanceTypes: []plan.InstanceType{plan.Container, plan.VirtualMachine}, Images: []string{"pikaci/*"},
			Profiles: []string{"a"}, Networks: []string{"n"}, NoHostJobs: true, LogBytes: 1, ArtifactBytes: 2, ArtifactFiles: 3},
		Secrets: map[string]runner.Secret{"TOKEN": {File: "/t"}, "KEY": {Env: "K"}},
		HostEnv: []string{"SSH_AUTH_SOCK"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if file, err := runner.Decode([]byte(`{"schema_version": 1}`)); err != nil || !reflect.DeepEqual(file, &runner.File{SchemaVersion: 1}) {
		t.Errorf("the least: %+v, %v", file, err)
	}
	if _, err := runner.Decode([]byte(`{"schema_version":1,"incus":null,"secrets":null,"ceilings":{"images":null}}`)); err != nil {
		t.Errorf("nulls: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	with := func(old, new string) string {
		if !strings.Contains(full, old) {
			t.Fatalf("no %s in the file", old)
		}
		return strings.Replace(full, old, new, 1)
	}
	for name, tt := range map[string]struct{ in, want string }{
		"empty":                {"", "1:1: empty"},
		"cut off":              {full[:len(full)-3], "13:31: ends in the middle: the file is cut off"},
		"not JSON":             {with(`"parallel": 3,`, `"parallel": 3;`), "6:16: not JSON: invalid character ';'"},
		"two values":           {full + "{}", "15:1: not JSON: invalid character '{' after top-level value"},
		"a list":               {"[]", "1:1: the file: want object, found array"},
		"too large":            {full + strings.Repeat(" ", 1<<20), "over 1 MiB"},
		"newer":                {`{"schema_version": 2, "invented_later": 1}`, "runner file of another schema version: it has schema version 2, this pikaci reads version 1"},
		"no version":           {`{"parallel": 1}`, "no schema_version: this pikaci reads version 1"},
		"version in words":     {`{"schema_version": "1"}`, "1:22: schema_version: want whole number, found string"},
		"wrong type":           {with(`"timeout_secs": 60`, `"timeout_secs": "60"`), "8:53: ceilings.timeout_secs: want whole number, found string"},
		"unknown":              {with(`"state_root"`, `"state-root"`), `5:3: unknown field "state-root"`},
		"unknown in ceilings":  {with(`"images"`, `"image"`), `9:57: unknown field "ceilings.image"`},
		"unknown in a secret":  {with(`"env"`, `"value"`), `12:48: unknown field "secrets.KEY.value"`},
		"other case":           {with(`"no_host_jobs"`, `"No_Host_Jobs"`), `10:5: unknown field "ceilings.No_Host_Jobs"`},
		"twice":                {with(`"host_env"`, `"ceilings": {},`+"\n"+`"host_env"`), "13:3: ceilings stands there twice"},
		"a secret twice":       {with(`"KEY"`, `"TOKEN"`), "12:40: secrets.TOKEN stands there twice"},
		"instance type":        {with(`"container", "profiles"`, `"vm", "profiles"`), `incus.instance_type is "vm": want container or virtual-machine`},
		"instance type below":  {with(`"virtual-machine"]`, `"vm"]`), `ceilings.instance_types: "vm": want container or virtual-machine`},
		"image pattern":        {with(`pikaci/*`, `pikaci/[`), `ceilings.images: "pikaci/[": syntax error in pattern`},
		"memory":               {with(`"8GiB"`, `"8GB"`), `ceilings: memory "8GB": want`},
		"secret of both":       {with(`{"env": "K"}`, `{"env": "K", "file": "/k"}`), "secrets.KEY: want exactly one of file and env"},
		"secret of none":       {with(`{"env": "K"}`, `{}`), "secrets.KEY: want exactly one of file and env"},
		"parallel":             {with(`"parallel": 3`, `"parallel": -1`), "parallel is -1: want 0 or more"},
		"ceilings.cpus":        {with(`"cpus": 4`, `"cpus": -1`), "ceilings.cpus is -1: want 0 or more"},
		"ceilings.log_bytes":   {with(`"log_bytes": 1`, `"log_bytes": -1`), "ceilings.log_bytes is -1: want 0 or more"},
		"several, in order":    {with(`"cpus": 4, "memory": "8GiB", "timeout_secs": 60`, `"cpus": -4, "memory": "x", "timeout_secs": -6`), "ceilings.cpus is -4: want 0 or more\nceilings.timeout_secs is -6: want 0 or more\nceilings: memory \"x\""},
		"a number of a secret": {with(`{"env": "K"}`, `7`), "12:47: secrets: want object, found number"},
	} {
		if _, err := runner.Decode([]byte(tt.in)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v\nwant %s", name, err, tt.want)
		}
	}
}

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "runner.json")
	if _, err := runner.Read(name); err == nil || !strings.Contains(err.Error(), ": no such runner file") {
		t.Errorf("missing: %v", err)
	}
	for content, want := range map[string]string{
		full:                              "",
		"{":                               name + ":1:1: ends in the middle",
		full + strings.Repeat(" ", 2<<20): name + ": over 1 MiB",
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := runner.Read(name)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := runner.Read(filepath.Dir(name)); err == nil {
		t.Error("read a folder")
	}
}

// FuzzDecode: what is read is what encoding/json writes of it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"schema_version":1,"secrets":{"a":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := runner.Decode(b)
		if (file == nil) == (err == nil) {
			t.Fatalf("%v and %v", file, err)
		}
		if err != nil {
			return
		}
		again, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := runner.Decode(again); err != nil || !reflect.DeepEqual(back, file) {
			t.Fatalf("%s: %v", again, err)
		}
	})
}
