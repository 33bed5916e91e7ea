package process_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/process"
)

// asSupervisor is set in a process of its own: adopting is for good, and kills
// what other tests run.
const asSupervisor = "PIKACI_TEST_ORPHANS"

func TestOrphansAreKilled(t *testing.T) {
	if script := os.Getenv(asSupervisor); script != "" {
		s := shell(t, script)
		s.Orphans, s.Timeout = true, 300*time.Millisecond
		s.Stdout = os.Stdout
		exit, err := process.Run(context.Background(), s)
		// Whatever held stdout open is gone, or this would never be read whole.
		fmt.Printf("code %d timed out %t %v\n", exit.Code, exit.TimedOut, err)
		os.Exit(0)
	}
	for _, c := range []struct{ name, script, want string }{
		{"none", "exit 3", "code 3 timed out false <nil>"},
		{"of a session of its own", "setsid sleep 60 & exit 3", "code 3 timed out false <nil>"},
		{"a daemon", "(setsid sh -c 'sleep 60 & sleep 61 & exit' &) ; sleep 0.1; exit 4", "code 4 timed out false <nil>"},
		{"that ignores TERM", "setsid sh -c \"trap '' TERM; while :; do sleep 1; done\" & exit 0", "code 0 timed out false <nil>"},
		{"of a command that is late", "setsid sleep 60 & sleep 60", "code -1 timed out true <nil>"},
		{"of a command that is late, with children", "(sleep 60 &); sleep 60 & sleep 60", "code -1 timed out true <nil>"},
		{"many that end before it", "for i in 1 2 3 4 5 6 7 8 9; do (setsid true &); done; sleep 0.1; " +
			"grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | while read f; do grep -q \"^PPid:.$PPID$\" $f && echo zombie; done; exit 5",
			"code 5 timed out false <nil>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestOrphansAreKilled$")
			// It exits without taking its folders back.
			cmd.Env = append(os.Environ(), asSupervisor+"="+c.script, "TMPDIR="+t.TempDir())
			out, err := cmd.CombinedOutput()
			// A zombie is still of its group, and would be waited for.
			if took := time.Since(start); took > process.Grace/2 {
				t.Errorf("took %s", took)
			}
			if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}
