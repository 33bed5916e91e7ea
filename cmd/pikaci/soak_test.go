package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// TestSoak carries out many small jobs in one exec and watches its file
// descriptors, threads and memory: they stay flat. scripts/soak has 900 jobs on
// the host and 100 in containers.
func TestSoak(t *testing.T) {
	onHost, inGuests := 60, 3
	if s := os.Getenv("PIKACI_SOAK"); s != "" {
		if _, err := fmt.Sscanf(s, "%d+%d", &onHost, &inGuests); err != nil {
			t.Fatalf("PIKACI_SOAK=%s: want HOST+GUEST jobs: %v", s, err)
		}
	}
	y := emptyYard(t, map[string]string{"lanes/lanes.cue": killLanes, "lanes/a.cue": soakLane(onHost, inGuests)})
	t.Cleanup(func() { y.pikaci("gc", "--keep", "0") })
	for i := range inGuests {
		y.jobs = append(y.jobs, fmt.Sprintf("guest-%d", i))
	}
	cmd := y.command(append(y.exec("soak", false), "--output", "jsonl")...)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	samples := make(chan []sample)
	over := make(chan struct{})
	go func() { samples <- sampled(cmd.Process.Pid, over) }()
	err = cmd.Wait()
	close(over)
	all := <-samples
	if err != nil {
		b, _ := os.ReadFile(out.Name())
		t.Fatalf("%v\n%s", err, b[max(0, len(b)-2000):])
	}
	r := y.record("soak")
	if len(r.Jobs) != onHost+inGuests || r.Verdict != event.Passed || len(r.Left) > 0 || len(r.Leases) > 0 {
		t.Errorf("%d jobs, %s, left %v %v", len(r.Jobs), r.Verdict, r.Left, r.Leases)
	}
	y.nothingLeft("soak")
	t.Logf("%d jobs on the host and %d in containers in %s, %d samples", onHost, inGuests, time.Since(began).Round(time.Second), len(all))
	checkFlat(t, all)
}

func soakLane(onHost, inGuests int) string {
	var b strings.Builder
	b.WriteString("package lanes\n\nlanes: a: {\n\ttitle: \"check-a\"\n\tdescription: \"Many jobs.\"\n\tincus: {instance_type: \"container\", cpus: 1, memory: \"256MiB\"}\n\tjobs: {\n")
	every := max(1, onHost/max(1, inGuests))
	guests := 0
	for i := range onHost {
		fmt.Fprintf(&b, "\t\t\"host-%d\": {description: \"Runs.\", host: true, artifacts: [\"*\"], command: [\"bash\", \"-c\", \"seq 100; echo $RANDOM >$PIKACI_ARTIFACTS/f\"]}\n", i)
		if i%every == 0 && guests < inGuests {
			fmt.Fprintf(&b, "\t\t\"guest-%d\": {description: \"Runs.\", artifacts: [\"*\"], command: [\"bash\", \"-c\", \"seq 100; echo $RANDOM >$PIKACI_ARTIFACTS/f\"]}\n", guests)
			guests++
		}
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

// sample is what a process holds at one time; memory in KiB.
type sample struct{ fds, threads, memory int }

// sampled samples a process until it is over.
func sampled(pid int, over <-chan struct{}) (all []sample) {
	for {
		status := statusOf(pid)
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err == nil && status["VmRSS"] > 0 {
			all = append(all, sample{len(fds), status["Threads"], status["VmRSS"]})
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-over:
			return all
		}
	}
}

// checkFlat holds the last fifth of the samples against the second: what leaks
// with each job grows.
func checkFlat(t *testing.T, all []sample) {
	t.Helper()
	if len(all) < 10 {
		t.Fatalf("only %d samples", len(all))
	}
	fifth := len(all) / 5
	early, late := all[fifth:2*fifth], all[4*fifth:]
	for _, c := range []struct {
		what  string
		of    func(sample) int
		slack int
	}{
		{"file descriptors", func(s sample) int { return s.fds }, 20},
		{"threads", func(s sample) int { return s.threads }, 10},
		{"KiB of memory", func(s sample) int { return s.memory }, 30 << 10},
	} {
		most := func(samples []sample) int {
			n := make([]int, 0, len(samples))
			for _, s := range samples {
				n = append(n, c.of(s))
			}
			return slices.Max(n)
		}
		t.Logf("%s: at most %d in the second fifth, %d in the last, %d at any time", c.what, most(early), most(late), most(all))
		if most(late) > most(early)+c.slack {
			t.Errorf("%s: %d early, %d late", c.what, most(early), most(late))
		}
	}
	if most := slices.MaxFunc(all, func(a, b sample) int { return a.fds - b.fds }); most.fds > 100 {
		t.Errorf("%d file descriptors at one time", most.fds)
	}
}
