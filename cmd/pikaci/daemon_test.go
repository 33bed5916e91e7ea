package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/runtimetest"
)

// newKillDaemon starts one for the yard's commands, with a storage pool of
// folders and the image of this machine's Incus. It is gone after the test,
// with all that it holds.
func newKillDaemon(y *killYard) *runtimetest.Daemon {
	t := y.t
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	y.incus("image", "export", "pikaci/dev", image)
	d := runtimetest.NewDaemon(t)
	y.incusDir, y.env = d.Dir, append(y.env, "INCUS_DIR="+d.Dir)
	y.awaitDaemon()
	y.incus("storage", "create", "dir", "dir")
	y.incus("profile", "device", "add", "default", "root", "disk", "path=/", "pool=dir")
	files, err := filepath.Glob(image + "*") // the server says how it ends
	if err != nil || len(files) != 1 {
		t.Fatalf("%v: %q", err, files)
	}
	y.incus("image", "import", files[0], "--alias", "pikaci/dev")
	return d
}

// awaitDaemon waits until the daemon answers.
func (y *killYard) awaitDaemon() {
	y.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		ask := exec.Command("incus", "storage", "list")
		ask.Env = append(os.Environ(), y.env...)
		out, err := ask.CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			y.t.Fatalf("incusd does not answer: %v\n%s", err, out)
		}
	}
}

const daemonLane = `package lanes

lanes: a: {
	title:       "check-a"
	description: "Jobs that take long enough."
	incus: {instance_type: "container", cpus: 1, memory: "256MiB"}
	jobs: {
		"prints": {
			description: "Prints and keeps a file.", artifacts: ["*"]
			command: ["bash", "-c", "for i in {1..200}; do echo line $i; echo error $i >&2; sleep 0.01; done; echo kept >$PIKACI_ARTIFACTS/f"]
		}
		"much": {description: "Prints much at once.", command: ["bash", "-c", "for i in {1..20}; do seq 10000; sleep 0.05; done"]}
		"fails": {description: "Fails.", needs: ["much"], command: ["bash", "-c", "echo out; sleep 0.2; exit 3"]}
	}
}
`

// TestTheDaemonIsKilledAtAnyMoment kills incusd at random moments under runs,
// and restarts it at once or some time later. scripts/kill-test --daemon N
// kills N times.
func TestTheDaemonIsKilledAtAnyMoment(t *testing.T) {
	kills := 3
	if s := os.Getenv("PIKACI_DAEMON_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	y := emptyYard(t, map[string]string{"lanes/lanes.cue": killLanes, "lanes/a.cue": daemonLane})
	y.jobs = []string{"prints", "much", "fails"}
	d := newKillDaemon(y)
	begin := time.Now()
	y.run("whole", 0)
	y.whole = time.Since(begin)
	y.checkDaemonRun("whole")
	runs := 0
	for ; y.kills < kills && !t.Failed(); runs++ {
		y.killDaemonUnder(d, fmt.Sprintf("kill-%d", runs), min(1+rand.IntN(3), kills-y.kills))
	}
	t.Logf("%d kills of incusd in %d runs, which take %s without; at the kills %v", y.kills, runs, y.whole.Round(10*time.Millisecond), y.at)
}

// killDaemonUnder carries out a run whose daemon is killed that many times.
func (y *killYard) killDaemonUnder(d *runtimetest.Daemon, id string, kills int) {
	y.t.Helper()
	over := make(chan struct{})
	go func() {
		defer close(over)
		y.run(id, 0)
	}()
	ended := func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	}
	// What is asked before a run began is asked once, and refuses it.
	for !ended() && !y.begun(id) {
		time.Sleep(5 * time.Millisecond)
	}
	for range kills {
		time.Sleep(rand.N(y.whole))
		if ended() {
			break
		}
		at := y.last(id)
		d.Kill()
		y.kills++
		y.at[at]++
		if rand.IntN(2) == 0 {
			time.Sleep(rand.N(3 * time.Second))
		}
		d.Start()
	}
	<-over
	// The last kill may have come when the run was over already.
	y.awaitDaemon()
	y.checkDaemonRun(id)
}

// checkDaemonRun wants the right verdicts, and every byte.
func (y *killYard) checkDaemonRun(id string) {
	y.t.Helper()
	var prints, errs, much strings.Builder
	for i := range 200 {
		fmt.Fprintf(&prints, "line %d\n", i+1)
		fmt.Fprintf(&errs, "error %d\n", i+1)
	}
	for range 20 {
		for i := range 10_000 {
			fmt.Fprintln(&much, i+1)
		}
	}
	r := y.record(id)
	if len(r.Jobs) != 3 || len(r.Leases) > 0 || len(r.Left) > 0 || r.Verdict != event.Failed {
		y.t.Errorf("run %s: %d jobs, %v, %v, %s", id, len(r.Jobs), r.Leases, r.Left, r.Verdict)
	}
	for _, j := range r.Jobs {
		want := map[string]fate{
			"prints": {event.Passed, prints.String()}, "much": {event.Passed, much.String()}, "fails": {event.Failed, "out\n"},
		}[j.ID]
		if j.Verdict != want.verdict || j.Verdict == event.Failed && j.Failure != event.Test {
			y.t.Errorf("run %s: job %s is %s (%s: %s)", id, j.ID, j.Verdict, j.Failure, j.Reason)
		}
		// What an attempt printed that could not be carried out stands before.
		stdout := y.read(id, j.ID, "stdout.log")
		if attempts := attemptsOf(r, j.ID); stdout != want.stdout && (attempts == 1 || !strings.HasSuffix(stdout, want.stdout)) {
			y.t.Errorf("run %s: job %s printed %d bytes at %d attempts, want %d", id, j.ID, len(stdout), attempts, len(want.stdout))
		}
		if j.ID == "prints" {
			if got := y.read(id, j.ID, "stderr.log"); !strings.HasSuffix(got, errs.String()) {
				y.t.Errorf("run %s: job %s: stderr %q", id, j.ID, got)
			}
			if len(j.Artifacts) != 1 || j.Artifacts[0].Refused != "" {
				y.t.Errorf("run %s: artifacts %+v", id, j.Artifacts)
			}
		}
	}
	y.nothingLeft(id)
}
