package process_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/process"
)

func shell(t *testing.T, script string) process.Spec {
	return process.Spec{Argv: []string{"sh", "-c", script}, Dir: t.TempDir(),
		Env: map[string]string{"PATH": "/usr/bin:/bin", "WORD": "there"}}
}

func TestHowACommandEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*process.Spec)
		script string
		want   process.Exit
	}{
		{"passed", nil, "exit 0", process.Exit{}},
		{"its environment is all that it has", nil, `test "$WORD" = there && test -z "$HOME"`, process.Exit{}},
		{"exit code", nil, "exit 7", process.Exit{Code: 7}},
		{"killed by a signal", nil, "kill -SEGV $$", process.Exit{Code: -1, Signal: "SIGSEGV"}},
		{"timeout", func(s *process.Spec) { s.Timeout = 50 * time.Millisecond }, "sleep 60",
			process.Exit{Code: -1, Signal: "SIGTERM", TimedOut: true}},
		{"timeout, and it ends by itself on TERM", func(s *process.Spec) { s.Timeout = 200 * time.Millisecond },
			"trap 'exit 3' TERM; while :; do sleep 0.01; done", process.Exit{Code: 3, TimedOut: true}},
		{"not found", func(s *process.Spec) { s.Argv = []string{"nosuchprogram"} }, "",
			process.Exit{Code: 127, Problem: "no program nosuchprogram in PATH /usr/bin:/bin"}},
		{"not found by path", func(s *process.Spec) { s.Argv = []string{"./nosuch"} }, "",
			process.Exit{Code: 127, Problem: "no program ./nosuch"}},
		{"no working directory", func(s *process.Spec) { s.Dir = "/nosuch" }, "",
			process.Exit{Code: 126, Problem: "no working directory /nosuch"}},
		{"not executable", func(s *process.Spec) { s.Argv = []string{"/etc/passwd"} }, "",
			process.Exit{Code: 126, Problem: "can't run /etc/passwd: permission denied"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := shell(t, c.script)
			if c.change != nil {
				c.change(&s)
			}
			got, err := process.Run(t.Context(), s)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestOutputIsKeptApartAndWhole(t *testing.T) {
	var out, errs bytes.Buffer
	s := shell(t, "seq 1 20000; echo bad >&2; printf end")
	s.Stdout, s.Stderr = &out, &errs
	if _, err := process.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(out.String(), "\n20000\nend") || errs.String() != "bad\n" {
		t.Errorf("stdout of %d bytes, stderr %q", out.Len(), errs.String())
	}
}

func TestCancelStopsTheWholeGroup(t *testing.T) {
	var out bytes.Buffer
	s := shell(t, "sleep 300 & echo $!; wait")
	s.Stdout = &out
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(300*time.Millisecond, func() { cancel(why) })
	if _, err := process.Run(ctx, s); !errors.Is(err, why) {
		t.Fatalf("got %v", err)
	}
	gone(t, strings.TrimSpace(out.String()))
}

func TestKillEndsTheGrace(t *testing.T) {
	var out bytes.Buffer
	s := shell(t, "trap '' TERM; echo $$; while :; do sleep 0.05; done")
	s.Stdout = &out
	kill := make(chan struct{})
	s.Kill = kill
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	time.AfterFunc(400*time.Millisecond, func() { close(kill) })
	start := time.Now()
	if _, err := process.Run(ctx, s); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(start); took < 400*time.Millisecond || took > process.Grace/2 {
		t.Errorf("it took %s", took)
	}
	gone(t, strings.TrimSpace(out.String()))
}

func TestChildrenGetTheirTimeToEnd(t *testing.T) {
	var out bytes.Buffer
	s := shell(t, `sh -c 'trap "sleep 0.2; echo child; exit" TERM; echo ready; while :; do sleep 0.05; done' & wait`)
	s.Stdout, s.Timeout = &out, 500*time.Millisecond
	if _, err := process.Run(t.Context(), s); err != nil || out.String() != "ready\nchild\n" {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestWhatACommandLeavesInItsGroupIsKilled(t *testing.T) {
	var out bytes.Buffer
	s := shell(t, "sleep 300 & echo $!")
	s.Stdout = &out
	start := time.Now()
	if _, err := process.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("waited %s for what was left", took)
	}
	gone(t, strings.TrimSpace(out.String()))
}

func TestAProcessThatLeftTheGroupIsNotWaitedFor(t *testing.T) {
	var out bytes.Buffer
	s := shell(t, "setsid sh -c 'echo $$; exec sleep 300' & sleep 0.2; echo end")
	s.Stdout = &out
	start := time.Now()
	if _, err := process.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("waited %s", took)
	}
	if pid, _ := strconv.Atoi(strings.Fields(out.String())[0]); pid > 1 {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// gone fails where the process is there and not a zombie that waits for init.
func gone(t *testing.T, pid string) {
	t.Helper()
	for range 50 {
		b, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(b), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %s is still there", pid)
}
