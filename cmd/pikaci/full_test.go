package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// A host job that wrote there itself would fail by its own word.
const fullLane = `package lanes

lanes: a: {
	title:       "check-a"
	description: "Jobs that write."
	incus: {instance_type: "container", cpus: 1, memory: "256MiB"}
	jobs: {
		"prints": {
			description: "Prints and keeps files.", artifacts: ["*"]
			command: ["bash", "-c", "for i in {1..100}; do seq 2000; head -c 20000 /dev/zero >$PIKACI_ARTIFACTS/$i; done"]
		}
		"after": {description: "Follows.", needs: ["prints"], command: ["bash", "-c", "for i in {1..10}; do seq 2000; done"]}
		"on-host": {description: "Prints on the host.", host: true, command: ["seq", "20000"]}
	}
}
`

// TestTheStateRootFillsUp carries out runs on a file system that is full at a
// random moment of them. scripts/kill-test --full N fills N.
func TestTheStateRootFillsUp(t *testing.T) {
	fills := 3
	if s := os.Getenv("PIKACI_FULL"); s != "" {
		var err error
		if fills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	y := emptyYard(t, map[string]string{"lanes/lanes.cue": killLanes, "lanes/a.cue": fullLane})
	y.jobs = []string{"prints", "after", "on-host"}
	root := filepath.Join(y.dir, ".pikaci")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	mount := func(bytes int) {
		if err := syscall.Mount("tmpfs", root, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
			t.Fatalf("mount a tmpfs: %v", err)
		}
	}
	unmount := func() { syscall.Unmount(root, syscall.MNT_DETACH) }
	t.Cleanup(unmount)

	// How much a whole run needs.
	mount(1 << 30)
	if code, out := y.fill("whole"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(root, &s); err != nil {
		t.Fatal(err)
	}
	needs := int(s.Blocks-s.Bfree) * int(s.Bsize)
	unmount()

	full, ended := 0, map[string]int{}
	for i := 0; full < fills && !t.Failed() && i < 3*fills; i++ {
		mount(64<<10 + rand.IntN(needs))
		how, wasFull := y.fullTrial(fmt.Sprintf("full-%d", i))
		ended[how]++
		if wasFull {
			full++
		}
		unmount()
	}
	t.Logf("%d state roots full at up to %d KiB: %v", full, needs>>10, ended)
	if full < fills {
		t.Errorf("only %d were full", full)
	}
}

// fill carries out the run.
func (y *killYard) fill(id string) (code int, out string) { return y.pikaci(y.exec(id, false)...) }

// fullTrial carries out a run for which there may be too little room, and then
// collects. It tells how the run ended, and whether there was too little.
func (y *killYard) fullTrial(id string) (how string, full bool) {
	y.t.Helper()
	code, out := y.fill(id)
	full = strings.Contains(out, "no space left on device")
	switch {
	case code == 0 && !full:
		how = "passed"
	case code == 0 && strings.Count(out, "no space left on device") == strings.Count(out, "\npikaci: write "):
		how = "passed, with no room for a report" // which changes no verdict
	case code == 4 && full && strings.Contains(out, "hint: make room on the disk"):
		how = "refused"
	default:
		y.t.Errorf("run %s: exit code %d\n%s", id, code, out[max(0, len(out)-2000):])
	}
	root := filepath.Join(y.dir, ".pikaci")
	d := &record.Dir{ID: id, Path: filepath.Join(root, "runs", id)}
	if _, err := os.Stat(filepath.Join(d.Path, "events.jsonl")); err == nil {
		how = y.checkFull(d, how, full)
	}
	y.nothingLeft(id)
	// On a disk that is full, what is there can be looked at and goes.
	if code, out := y.pikaci("runs"); code != 0 {
		y.t.Errorf("run %s: runs: exit code %d\n%s", id, code, out)
	}
	// A young one might just be beginning.
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"", "plan.json", "events.jsonl"} {
		os.Chtimes(filepath.Join(d.Path, name), old, old)
	}
	code, out = y.pikaci("gc", "--keep", "0", "--older-than", "0s")
	if entries, _ := os.ReadDir(filepath.Join(root, "runs")); code != 0 || len(entries) > 0 {
		y.t.Errorf("run %s: gc: exit code %d, left %v\n%s", id, code, entries, out)
	}
	return how, full
}

// haveAll tells whether the records that follow the run's end are there.
func haveAll(d *record.Dir) bool {
	for _, name := range []string{"run.json", "prepared-outputs.json", "report.html", "junit.xml", "trace.json"} {
		if _, err := os.Stat(filepath.Join(d.Path, name)); err != nil {
			return false
		}
	}
	return true
}

// checkFull reads the record of a run that may have had too little room: no job
// passed that was not whole.
func (y *killYard) checkFull(d *record.Dir, how string, full bool) string {
	y.t.Helper()
	all := y.events(d.ID)
	ended := false
	for _, e := range all {
		ended = ended || e.RunFinished != nil
		if f := e.RunFinished; f != nil && full != (f.Verdict == event.Failed) {
			if !full || haveAll(d) {
				y.t.Errorf("run %s: %+v", d.ID, f)
			}
			if how == "refused" {
				how = "passed, with no room for the records"
			}
		}
		if f := e.JobFinished; f != nil && f.Verdict == event.Failed && f.Failure != event.Infra {
			y.t.Errorf("run %s: %+v", d.ID, f)
		}
	}
	if past, err := d.Read(); err != nil && len(all) > 0 {
		y.t.Errorf("run %s: %v: %+v", d.ID, err, past.Run)
	}
	switch {
	case how != "refused":
		return how
	case ended:
		return "failed, recorded to its end"
	case len(all) == 0:
		return "failed, nothing recorded"
	}
	return "failed, recorded until the disk was full"
}
