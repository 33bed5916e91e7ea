package lanes

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/schema/plan"
)

var update = flag.Bool("update", false, "write the golden files")

// facts is what the older tool knew of the lanes.
type facts struct {
	Roles []struct {
		Role               string `json:"role"`
		PrepareNodeSuffix  string `json:"prepare_node_suffix"`
		MountDirName       string `json:"mount_dir_name"`
		DevicePrefix       string `json:"device_prefix"`
		PrepareDescription string `json:"prepare_description"`
		GuestMountPath     string `json:"guest_mount_path"`
	} `json:"payload_roles"`
	Lanes   []factLane `json:"lanes"`
	Nightly []factHost `json:"nightly_lanes"`
	Host    []factHost `json:"host_lanes"`
}

type factLane struct {
	ID                       string            `json:"id"`
	Title                    string            `json:"title"`
	TargetID                 string            `json:"target_id"`
	Trigger                  string            `json:"trigger"`
	ConcurrencyGroup         string            `json:"concurrency_group"`
	Paths                    []string          `json:"paths"`
	SharedPrepareNodePrefix  string            `json:"shared_prepare_node_prefix"`
	SharedPrepareDescription string            `json:"shared_prepare_description"`
	Payloads                 map[string]string `json:"payloads"`
	Jobs                     []factJob         `json:"jobs"`
	SnapshotExclude          []string          `json:"snapshot_exclude"`
}

type factJob struct {
	ID                string `json:"id"`
	TimeoutSecs       int    `json:"timeout_secs"`
	WritableWorkspace bool   `json:"writable_workspace"`
	RunAsRoot         bool   `json:"run_as_root"`
	Command           string `json:"command"`
}

type factHost struct {
	ID               string   `json:"id"`
	Title            string   `json:"title"`
	Command          []string `json:"command"`
	ConcurrencyGroup string   `json:"concurrency_group"`
	Paths            []string `json:"paths"`
}

func readFacts(t *testing.T) *facts {
	t.Helper()
	b, err := os.ReadFile("testdata/facts.json")
	if err != nil {
		t.Fatal(err)
	}
	f := new(facts)
	if err := json.Unmarshal(b, f); err != nil {
		t.Fatal(err)
	}
	return f
}

func load(t *testing.T) *compiler.Catalogue {
	t.Helper()
	c, err := compiler.Load(".")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compile(t *testing.T, c *compiler.Catalogue, sel compiler.Select) *plan.Plan {
	t.Helper()
	p, err := c.Compile(sel)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the lane files give; go test ./lanes -update writes it", name)
	}
}

func TestGoldenPlan(t *testing.T) {
	b, err := plan.Encode(compile(t, load(t), compiler.Select{}))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.golden.json", b)
}

// TestFacts holds every lane against what the older tool knew of it.
func TestFacts(t *testing.T) {
	f, c := readFacts(t), load(t)
	if n := len(c.Lanes()); n != len(f.Lanes)+len(f.Nightly)+len(f.Host)+1 {
		t.Errorf("%d lanes", n)
	}
	jobs := 0
	for _, want := range f.Lanes {
		jobs += len(want.Jobs)
		t.Run(want.ID, func(t *testing.T) { checkLane(t, c, f, want) })
	}
	if len(f.Lanes) != 9 || jobs != 27 {
		t.Errorf("facts of %d lanes and %d jobs: want 9 and 27", len(f.Lanes), jobs)
	}
	for _, want := range append(f.Nightly, f.Host...) {
		t.Run(want.ID, func(t *testing.T) { checkHostLane(t, c, want) })
	}
}

func checkLane(t *testing.T, c *compiler.Catalogue, f *facts, want factLane) {
	p := compile(t, c, compiler.Select{Lanes: []string{want.TargetID}})
	i := slices.IndexFunc(p.Lanes, func(l plan.Lane) bool { return l.Chosen })
	got := p.Lanes[i]
	if got.ID != want.ID || got.Title != want.Title || got.TargetID != want.TargetID ||
		string(got.Trigger) != want.Trigger || got.ConcurrencyGroup != want.ConcurrencyGroup {
		t.Errorf("lane %+v, want %+v", got, want)
	}
	if !slices.Equal(p.Snapshot.Exclude, slices.Sorted(slices.Values(want.SnapshotExclude))) {
		t.Errorf("snapshot leaves out %v, want %v", p.Snapshot.Exclude, want.SnapshotExclude)
	}
	checkPaths(t, want.ID, want.Paths)
	if len(p.Jobs) != len(want.Jobs) {
		t.Fatalf("%d jobs, want %d", len(p.Jobs), len(want.Jobs))
	}
	for i := range p.Jobs {
		checkJob(t, p, &p.Jobs[i], f, want, want.Jobs[i])
	}
}

func checkJob(t *testing.T, p *plan.Plan, j *plan.Job, f *facts, want factLane, w factJob) {
	t.Helper()
	if j.ID != w.ID || j.TimeoutSecs != w.TimeoutSecs || j.WritableWorkspace != w.WritableWorkspace || (j.User == 0) != w.RunAsRoot {
		t.Errorf("job %+v, want %+v", j, w)
	}
	wantIncus := plan.Incus{Image: "pikaci/dev", InstanceType: plan.VirtualMachine, CPUs: 2, Memory: "4096MiB",
		Profiles: []string{"default", "pika-agent-dev"}, Network: "none"}
	if !reflect.DeepEqual(j.Incus, &wantIncus) {
		t.Errorf("job %s in %+v", j.ID, j.Incus)
	}
	if got := command(p, j.ID); !slices.Equal(got, []string{w.Command}) {
		t.Errorf("job %s runs %q, want %q", j.ID, got, w.Command)
	}
	for n, s := range j.StagedPayloads {
		r := f.Roles[n]
		wantSpec := plan.StagedPreparedPayload{
			PrepareNodeID:      "prepare-" + want.SharedPrepareNodePrefix + "-" + r.PrepareNodeSuffix,
			Installable:        "path:snapshot#" + want.Payloads[r.Role],
			OutputName:         want.Payloads[r.Role],
			LocalMountPath:     "jobs/" + j.ID + "/staged-linux-rust/" + r.MountDirName,
			DevicePrefix:       r.DevicePrefix,
			PrepareDescription: r.PrepareDescription + " for " + want.SharedPrepareDescription,
			Role:               r.Role,
			GuestMountPath:     r.GuestMountPath,
		}
		if s != wantSpec {
			t.Errorf("payload %+v\nwant %+v", s, wantSpec)
		}
	}
	if len(j.StagedPayloads) != 2 {
		t.Errorf("job %s has %d payloads", j.ID, len(j.StagedPayloads))
	}
}

func command(p *plan.Plan, job string) []string {
	for i := range p.Nodes {
		if p.Nodes[i].ID == plan.ExecuteID(job) {
			return p.Nodes[i].Command()
		}
	}
	return nil
}

// checkPaths asks stock cue for the lane's globs: a plan does not hold them.
func checkPaths(t *testing.T, lane string, want []string) {
	t.Helper()
	var got []string
	if err := json.Unmarshal(cue(t, "export", ".", "-e", "lanes."+lane+".paths"), &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("paths %q\nwant %q", got, want)
	}
}

func checkHostLane(t *testing.T, c *compiler.Catalogue, want factHost) {
	p := compile(t, c, compiler.Select{Lanes: []string{want.Title}})
	i := slices.IndexFunc(p.Lanes, func(l plan.Lane) bool { return l.Chosen })
	got := p.Lanes[i]
	trigger := plan.Nightly
	if len(want.Paths) > 0 {
		trigger = plan.Branch
		checkPaths(t, want.ID, want.Paths)
	}
	if got.ID != want.ID || got.Title != want.Title || got.ConcurrencyGroup != want.ConcurrencyGroup || got.Trigger != trigger {
		t.Errorf("lane %+v, want %+v", got, want)
	}
	if len(p.Jobs) != 1 || !p.Jobs[0].Host() || len(p.Nodes) != 1 || !slices.Equal(p.Nodes[0].Command(), want.Command) {
		t.Errorf("nodes %+v, want one that runs %q on the host", p.Nodes, want.Command)
	}
}

func TestChangedPaths(t *testing.T) {
	c := load(t)
	for path, want := range map[string]string{
		"crates/pikaci/src/run.rs":  "agent_contracts fixture notifications pikachat pikachat_openclaw_e2e pikachat_typescript",
		"compiler/load.go":          "check_pikaci",
		"ios/App.swift":             "pika_followup pika_rust",
		"a-file-that-no-lane-knows": "",
	} {
		p := compile(t, c, compiler.Select{ByPaths: true, ChangedPaths: []string{path}})
		var got []string
		for _, l := range p.Lanes {
			if l.Chosen {
				got = append(got, l.ID)
			}
			if l.Reason == "" {
				t.Errorf("%s: lane %s has no reason", path, l.ID)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s chooses %q, want %q", path, s, want)
		}
	}
}

// TestSelfCheckIsNotPikas checks that no path of the pika repository that the
// other lanes name chooses the lane by which this repository checks itself.
func TestSelfCheckIsNotPikas(t *testing.T) {
	f, c := readFacts(t), load(t)
	var paths []string
	for _, l := range f.Lanes {
		for _, glob := range l.Paths {
			paths = append(paths, strings.ReplaceAll(glob, "**", "x/y"))
		}
	}
	for _, l := range f.Host {
		for _, glob := range l.Paths {
			paths = append(paths, strings.ReplaceAll(glob, "**", "x/y"))
		}
	}
	for _, l := range compile(t, c, compiler.Select{ByPaths: true, ChangedPaths: paths}).Lanes {
		if l.Chosen == (l.ID == "check_pikaci") && l.Trigger == plan.Branch {
			t.Errorf("lane %s: chosen %v, %s", l.ID, l.Chosen, l.Reason)
		}
	}
}

func TestStockVet(t *testing.T) {
	cue(t, "vet", "-c", ".")
}

// TestStockVetCatches checks that stock cue refuses the mistakes that the
// schema rules out, and that the compiler refuses them too.
func TestStockVetCatches(t *testing.T) {
	tool := strings.TrimSpace(string(run(t, exec.Command("go", "tool", "-n", "cuelang.org/go/cmd/cue"))))
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	const good = "package lanes\n\nlanes: x: {title: \"x\", description: \"d\", jobs: x: {description: \"d\", command: [\"true\"]}}\n"
	for name, bad := range map[string]string{
		"":                       good,
		"unknown field":          good + "lanes: x: titel: \"x\"\n",
		"wrong type":             good + "lanes: x: paths: \"x\"\n",
		"wrong enum":             good + "lanes: x: trigger: \"weekly\"\n",
		"missing field":          "package lanes\n\nlanes: x: title: \"x\"\n",
		"out of bounds":          good + "lanes: x: jobs: x: timeout_secs: 0\n",
		"role without an output": good + "lanes: x: payloads: [{role: \"workspace-deps\"}]\n",
		"bad id":                 strings.Replace(good, "lanes: x", "lanes: \"x y\"", 1),
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, dir := range []string{"lanes", "schema", "cue.mod"} {
				copyCUE(t, filepath.Join(repository, dir), filepath.Join(root, dir))
			}
			if err := os.WriteFile(filepath.Join(root, "lanes", "x.cue"), []byte(bad), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(tool, "vet", "-c", "./lanes")
			cmd.Dir, cmd.Env = root, append(os.Environ(), "CUE_REGISTRY=none")
			if err := cmd.Run(); (err == nil) != (name == "") {
				t.Errorf("cue vet: %v", err)
			}
			if _, err := compiler.Load(filepath.Join(root, "lanes")); (err == nil) != (name == "") {
				t.Errorf("compiler: %v", err)
			}
		})
	}
}

// cue runs the stock tool of the version that go.mod names.
func cue(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", append([]string{"tool", "cuelang.org/go/cmd/cue"}, args...)...)
	cmd.Env = append(os.Environ(), "CUE_REGISTRY=none")
	return run(t, cmd)
}

func run(t *testing.T, cmd *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, &stderr)
	}
	return out
}

// TestAnywhere compiles a copy of the lanes from other folders: the plans are
// the same to the byte.
func TestAnywhere(t *testing.T) {
	want, err := plan.Encode(compile(t, load(t), compiler.Select{}))
	if err != nil {
		t.Fatal(err)
	}
	repository, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "another, with spaces [and brackets]"} {
		root := filepath.Join(t.TempDir(), name)
		for _, dir := range []string{"lanes", "schema", "cue.mod"} {
			copyCUE(t, filepath.Join(repository, dir), filepath.Join(root, dir))
		}
		for _, from := range []string{root, filepath.Join(root, "lanes"), "/"} {
			t.Chdir(from)
			c, err := compiler.Load(filepath.Join(root, "lanes"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := plan.Encode(compile(t, c, compiler.Select{}))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("another plan in %s", root)
			}
		}
	}
}

func copyCUE(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".cue" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
