package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/host"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// TestKilledAtAnyMoment kills exec -9 at random moments on the real Incus, and
// then resumes or collects. scripts/kill-test N kills N times.
func TestKilledAtAnyMoment(t *testing.T) {
	kills := 4
	if s := os.Getenv("PIKACI_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	y := newKillYard(t)
	y.anew = true
	begin := time.Now()
	y.run("whole", 0)
	y.whole = time.Since(begin)
	y.check("whole")
	for i := 0; y.kills < kills; i++ {
		y.anew = i%4 != 0
		y.trial(fmt.Sprintf("kill-%d", i))
		if t.Failed() {
			break
		}
	}
	t.Logf("%d kills in runs of %s: %d runs resumed to their end, %d collected, %d had ended or not begun; %d jobs were cached; at the kills %v",
		y.kills, y.whole.Round(10*time.Millisecond), y.resumed, y.collected, y.none, y.cached, y.at)
}

type killYard struct {
	t   *testing.T
	dir string
	// env is of all commands, and incusDir where their Incus keeps its things.
	env      []string
	incusDir string
	whole    time.Duration
	jobs     []string
	// anew says that the run takes no pass of an earlier one.
	anew                                    bool
	kills, resumed, collected, none, cached int
	// at counts what the journals ended with as their runs were killed.
	at map[string]int
}

const killLanes = `package lanes

import "github.com/sledtools/pikaci/schema"

lanes: schema.#Lanes
roles: schema.#Roles
`

const killLane = `package lanes

roles: [{
	role:                "tools"
	prepare_node_suffix: "tools"
	mount_dir_name:      "tools"
	device_prefix:       "tools"
	prepare_description: "Build tools"
	guest_mount_path:    "/opt/tools"
}]
lanes: a: {
	title:       "check-a"
	description: "Jobs that end in all ways."
	incus: {instance_type: "container", cpus: 1, memory: "256MiB"}
	shared_prepare: {node_prefix: "a", description: "the lane"}
	payloads: [{role: "tools", output_name: "tools"}]
	jobs: {
		"prints": {
			description: "Prints and keeps a file.", artifacts: ["*"]
			command: ["bash", "-c", "cat /opt/tools/word; for i in {1..40}; do echo line $i; sleep 0.01; done; echo kept >$PIKACI_ARTIFACTS/f"]
		}
		"fails": {description: "Fails twice.", retries: 1, command: ["bash", "-c", "echo out; sleep 0.1; exit 3"]}
		"needs-prints": {description: "Follows.", needs: ["prints"], command: ["bash", "-c", "echo after"]}
		"needs-fails": {description: "Is skipped.", needs: ["fails"], command: ["bash", "-c", "echo never"]}
		"on-host": {description: "Runs on the host.", host: true, command: ["bash", "-c", "echo host; sleep 0.3; echo over"]}
	}
}
`

const killFlake = `{
  outputs = { self }: {
    tools = builtins.derivation {
      name = "tools"; system = "x86_64-linux"; builder = "/bin/sh"; PATH = "/usr/bin:/bin";
      args = [ "-euc" "mkdir $out; echo word >$out/word" ];
    };
  };
}
`

// fate is what becomes of a job, whatever is killed meanwhile.
type fate struct {
	verdict event.Verdict
	stdout  string
}

// killWant is each job's verdict and output.
var killWant = map[string]fate{
	"prints":       {event.Passed, "word\n" + lines(40)},
	"fails":        {event.Failed, "out\nout\n"},
	"needs-prints": {event.Passed, "after\n"},
	"needs-fails":  {event.Skipped, ""},
	"on-host":      {event.Passed, "host\nover\n"},
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	return b.String()
}

func newKillYard(t *testing.T) *killYard {
	y := emptyYard(t, map[string]string{"lanes/lanes.cue": killLanes, "lanes/a.cue": killLane, "flake.nix": killFlake})
	for id := range killWant {
		y.jobs = append(y.jobs, id)
	}
	t.Cleanup(func() { y.pikaci("gc", "--keep", "0") })
	return y
}

// emptyYard is a folder with these files, whose lanes are compiled.
func emptyYard(t *testing.T, files map[string]string) *killYard {
	t.Helper()
	y := &killYard{t: t, dir: t.TempDir(), incusDir: "/var/lib/incus", anew: true, at: map[string]int{}}
	t.Cleanup(func() { checkRecords(t, y.dir) })
	for name, text := range files {
		path := filepath.Join(y.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := y.pikaci("compile", "-o", "plan.json"); code != 0 {
		t.Fatal(out)
	}
	return y
}

// pikaci runs one to its end.
func (y *killYard) pikaci(args ...string) (code int, out string) {
	cmd := y.command(args...)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		y.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

func (y *killYard) command(args ...string) *exec.Cmd {
	cmd := exec.Command("pikaci", args...)
	cmd.Dir, cmd.Env = y.dir, append(os.Environ(), y.env...)
	return cmd
}

// incus asks the server.
func (y *killYard) incus(args ...string) string {
	y.t.Helper()
	cmd := exec.Command("incus", args...)
	cmd.Env = append(os.Environ(), y.env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		y.t.Fatalf("incus %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// exec is the arguments that begin the run, or go on with it.
func (y *killYard) exec(id string, resume bool) []string {
	runner, err := filepath.Abs("testdata/runner.json")
	if err != nil {
		y.t.Fatal(err)
	}
	if resume {
		return []string{"exec", "--resume", id, "--runner", runner, "--parallel", "2"}
	}
	args := []string{"exec", "plan.json", "--run-id", id, "--runner", runner, "--parallel", "2"}
	if y.anew {
		args = append(args, "--no-cache")
	}
	return args
}

// run carries the run out, or on, and kills it after that long, if it lasts; 0
// is never. It reports whether it was killed.
func (y *killYard) run(id string, after time.Duration, resume ...bool) bool {
	y.t.Helper()
	cmd := y.command(y.exec(id, len(resume) > 0)...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second // a host job outlives it, and has its output
	if err := cmd.Start(); err != nil {
		y.t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	cmd.Wait()
	if cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		y.kills++
		y.at[y.last(id)]++
		return true
	}
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		y.t.Errorf("run %s: exit code %d, want 1: a job fails\n%s", id, code, out.String())
	}
	return false
}

// events are those of the run's journal; all must be readable.
func (y *killYard) events(id string) (all []event.Event) {
	y.t.Helper()
	d := &record.Dir{ID: id, Path: filepath.Join(y.dir, ".pikaci/runs", id)}
	if err := d.Events(func(e event.Event) error { all = append(all, e); return nil }); err != nil {
		y.t.Errorf("unreadable record: %v", err)
	}
	return all
}

// last is what the journal's last event is of.
func (y *killYard) last(id string) string {
	all := y.events(id)
	if len(all) == 0 {
		return "nothing"
	}
	if p := all[len(all)-1].PhaseStarted; p != nil {
		return "in " + string(p.Phase)
	}
	b, err := json.Marshal(all[len(all)-1])
	if err != nil {
		y.t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		y.t.Fatal(err)
	}
	for name := range fields {
		if name != "seq" && name != "time" {
			return name
		}
	}
	return "?"
}

// trial kills a run, once or more, and ends it in one of the two ways.
func (y *killYard) trial(id string) {
	if !y.run(id, 1+rand.N(y.whole+y.whole/10)) {
		y.check(id)
		return
	}
	for range rand.IntN(2) {
		if y.begun(id) && !y.run(id, 1+rand.N(y.whole), true) {
			y.resumed++
			y.check(id)
			return
		}
	}
	if y.over(id) {
		// Its records are written, if they were not.
		if code, out := y.pikaci(y.exec(id, true)...); code != 1 && code != 64 {
			y.t.Errorf("run %s: exit code %d\n%s", id, code, out)
		}
		y.none++
		y.check(id)
		return
	}
	if y.begun(id) && rand.IntN(3) > 0 {
		if y.run(id, 0, true) {
			y.t.Error("killed by somebody else")
		}
		y.resumed++
		y.check(id)
		return
	}
	if _, err := os.Stat(filepath.Join(y.dir, ".pikaci/runs", id)); errors.Is(err, fs.ErrNotExist) {
		y.none++
		return
	}
	if code, out := y.pikaci("gc", "--run", id); code != 0 {
		y.t.Errorf("gc: exit code %d\n%s", code, out)
	}
	y.collected++
	y.nothingLeft(id)
}

// over reports whether the run ended before it was killed.
func (y *killYard) over(id string) bool {
	return slices.ContainsFunc(y.events(id), func(e event.Event) bool { return e.RunFinished != nil })
}

// begun reports whether the run can be resumed.
func (y *killYard) begun(id string) bool {
	started, finished := false, false
	for _, e := range y.events(id) {
		started = started || e.RunStarted != nil
		finished = finished || e.RunFinished != nil
	}
	return started && !finished
}

// check holds a run that ended against what was to come of it.
func (y *killYard) check(id string) {
	y.t.Helper()
	ended := map[string]int{}
	for _, e := range y.events(id) {
		if e.NodeFinished != nil {
			ended[e.NodeFinished.Node]++
		}
		if e.NodeStarted != nil && ended[e.NodeStarted.Node] > 0 {
			y.t.Errorf("run %s: %s had ended and was done again", id, e.NodeStarted.Node)
		}
	}
	for node, n := range ended {
		if n != 1 {
			y.t.Errorf("run %s: %s ended %d times", id, node, n)
		}
	}
	r := y.record(id)
	if len(r.Jobs) != len(killWant) || len(r.Leases) > 0 || len(r.Left) > 0 || r.Verdict != event.Failed {
		y.t.Errorf("run %s: %d jobs, %v, %v, %s", id, len(r.Jobs), r.Leases, r.Left, r.Verdict)
	}
	for _, j := range r.Jobs {
		want := killWant[j.ID]
		if j.Verdict == event.Cached && want.verdict == event.Passed && !y.anew && j.ID != "on-host" {
			want.verdict, want.stdout = event.Cached, "" // which the other run has
			y.cached++
		}
		stdout := y.read(id, j.ID, "stdout.log")
		if j.Verdict != want.verdict || stdout != want.stdout {
			y.t.Errorf("run %s: job %s is %s (%s: %s), printed %q", id, j.ID, j.Verdict, j.Failure, j.Reason, stdout)
		}
		if j.ID == "prints" && (len(j.Artifacts) != 1 || j.Artifacts[0].Refused != "") {
			y.t.Errorf("run %s: artifacts %+v", id, j.Artifacts)
		}
	}
	y.nothingLeft(id)
}

// record is the run's run.json.
func (y *killYard) record(id string) (r record.Run) {
	y.t.Helper()
	b, err := os.ReadFile(filepath.Join(y.dir, ".pikaci/runs", id, "run.json"))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		y.t.Errorf("run %s: %v", id, err)
	}
	return r
}

// read is what a job's file holds.
func (y *killYard) read(id, job, name string) string {
	y.t.Helper()
	b, err := os.ReadFile(filepath.Join(y.dir, ".pikaci/runs", id, "jobs", job, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a log that nobody wrote to is not there
		y.t.Errorf("run %s: %v", id, err)
	}
	return string(b)
}

// attemptsOf is how often the job's command was begun.
func attemptsOf(r record.Run, job string) int {
	for _, n := range r.Nodes {
		if n.ID == plan.ExecuteID(job) {
			return n.Attempts
		}
	}
	return 0
}

// nothingLeft looks for instances, volumes and mounts of the run.
func (y *killYard) nothingLeft(id string) {
	y.t.Helper()
	var names []string
	for _, job := range y.jobs {
		names = append(names, incus.InstanceName(id, job))
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		y.t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, y.dir) && !strings.Contains(line, " "+filepath.Join(y.dir, ".pikaci")+" ") {
			y.t.Errorf("run %s: left mounted: %s", id, line)
		}
	}
	left, err := host.Marked(filepath.Join(y.dir, ".pikaci"))
	if err != nil || len(left) > 0 {
		y.t.Errorf("run %s: processes are left: %+v, %v", id, left, err)
	}
	for what, path := range map[string]string{
		"instances": "/1.0/instances?all-projects=true",
		"volumes":   "/1.0/storage-pools/" + y.incus("profile", "device", "get", "default", "root", "pool") + "/volumes?all-projects=true",
	} {
		out := y.incus("query", path)
		for _, name := range names {
			if strings.Contains(out, "/"+name) {
				y.t.Errorf("run %s: %s: %s is left", id, what, name)
			}
			// Where the server mounts an instance's disks.
			if entries, _ := os.ReadDir(filepath.Join(y.incusDir, "devices", name)); len(entries) > 0 {
				y.t.Errorf("run %s: mounts of %s are left: %v", id, name, entries)
			}
		}
	}
}
