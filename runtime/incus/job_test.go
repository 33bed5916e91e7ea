package incus_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

func TestHowAJobEnds(t *testing.T) {
	code := func(n int) *int { return &n }
	for _, c := range []struct {
		name   string
		change func(*plan.Job)
		argv   []string
		want   event.Outcome
	}{
		{"passes", nil, []string{"true"}, event.Outcome{Verdict: event.Passed, ExitCode: code(0)}},
		{"exit code", nil, []string{"bash", "-c", "exit 7"},
			event.Outcome{Verdict: event.Failed, Failure: event.Test, ExitCode: code(7)}},
		{"129 is no signal", nil, []string{"bash", "-c", "exit 129"},
			event.Outcome{Verdict: event.Failed, Failure: event.Test, ExitCode: code(129)}},
		{"signal", nil, []string{"bash", "-c", "kill -SEGV $$"},
			event.Outcome{Verdict: event.Failed, Failure: event.Test, Signal: "SIGSEGV"}},
		{"command not found", func(j *plan.Job) { j.Env = map[string]string{"PATH": "/bin:/usr/bin"} }, []string{"nosuchprogram"},
			event.Outcome{Verdict: event.Failed, Failure: event.Test, ExitCode: code(127),
				Reason: "no program nosuchprogram in PATH /bin:/usr/bin"}},
		{"no working directory", func(j *plan.Job) { j.WorkingDir = "/nosuch" }, []string{"true"},
			event.Outcome{Verdict: event.Failed, Failure: event.Test, ExitCode: code(126),
				Reason: "no working directory /nosuch"}},
		{"timeout", func(j *plan.Job) { j.TimeoutSecs = 1 }, []string{"sleep", "60"},
			event.Outcome{Verdict: event.Failed, Failure: event.Timeout, Signal: "SIGTERM", Reason: "not ended after 1 s"}},
		{"timeout, TERM ignored", func(j *plan.Job) { j.TimeoutSecs = 1 },
			[]string{"bash", "-c", "trap '' TERM; while :; do sleep 1; done"},
			event.Outcome{Verdict: event.Failed, Failure: event.Timeout, Signal: "SIGKILL", Reason: "not ended after 1 s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, c.change)
			b.create()
			got, err := b.execute(context.Background(), c.argv...)
			if err != nil || describe(got) != describe(c.want) {
				t.Errorf("got %s, %v; want %s", describe(got), err, describe(c.want))
			}
		})
	}
}

func describe(o event.Outcome) string {
	code := "none"
	if o.ExitCode != nil {
		code = fmt.Sprint(*o.ExitCode)
	}
	return fmt.Sprintf("%s %s code %s signal %q: %s", o.Verdict, o.Failure, code, o.Signal, o.Reason)
}

func TestOutputArrivesWholeAndApart(t *testing.T) {
	for _, c := range []struct{ name, script, stdout, stderr string }{
		{"apart", "echo out; echo err >&2", "out\n", "err\n"},
		{"no end of line", "printf a; printf b >&2", "a", "b"},
		{"binary", `printf '\0\1\377\200\n\r\33[1m'`, "\x00\x01\xff\x80\n\r\x1b[1m", ""},
		{"none", ":", "", ""},
		{"of a child that outlives the command", "(sleep 0.3; echo late) & wait", "late\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.passes(c.script)
			if b.out.String() != c.stdout || b.errs.String() != c.stderr {
				t.Errorf("stdout %q, stderr %q", b.out, b.errs)
			}
		})
	}
}

// A daemon that a command leaves would write on, and fill the guest's disk.
func TestNothingOfACommandOutlivesIt(t *testing.T) {
	b := newBench(t, func(j *plan.Job) { j.User, j.TimeoutSecs = 0, 5 })
	start := time.Now()
	b.passes("setsid yes & setsid bash -c 'exec -a left sleep 60' & sleep 0.2; exit 0")
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	if got := b.inside("grep -lE '^(yes|left)' /proc/[0-9]*/cmdline"); got != "" {
		t.Errorf("%s", got)
	}
}

func TestAMillionShortLinesArrive(t *testing.T) {
	b := newBench(t, nil)
	b.passes("seq 1000000; seq 1000000 >&2")
	var want bytes.Buffer
	for i := range 1_000_000 {
		fmt.Fprintln(&want, i+1)
	}
	sum := sha256.Sum256(want.Bytes())
	for name, l := range map[string]*runtimetest.Log{"stdout": b.out, "stderr": b.errs} {
		if got := l.String(); sha256.Sum256([]byte(got)) != sum {
			t.Errorf("%s: %d bytes, want %d, or not the same", name, len(got), want.Len())
		}
	}
}

func TestOutputIsStreamed(t *testing.T) {
	b := newBench(t, nil)
	b.create()
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		b.out.Until(t, "first")
		cancel(errors.New("seen"))
	}()
	start := time.Now()
	b.execute(ctx, "bash", "-c", "echo first; sleep 60")
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("seen and cancelled after %s", took)
	}
}

func TestWhoTheCommandRunsAsAndWhatItGets(t *testing.T) {
	t.Run("user", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, func(j *plan.Job) { j.Env = map[string]string{"OWN": "v w", "CI": "no"} })
		b.job.Secrets = map[string]string{"TOKEN": "s3cret"}
		got := b.passes(`id -u; id -g; pwd; touch "$HOME/x" "$PIKACI_ARTIFACTS/y" && echo writable; env | sort`)
		want := []string{"1000", "1000", "/workspace/snapshot", "writable", "CI=true", "HOME=/var/lib/pikaci/home", "OWN=v w",
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin",
			"PIKACI_ARTIFACTS=/run/pikaci/artifacts", "PIKACI_JOB=job", "PIKACI_LANE=lane", "PIKACI_RUN_ID=" + b.run.ID,
			"PWD=/workspace/snapshot", "SHLVL=1", "TOKEN=s3cret", "_=/usr/bin/env"}
		if strings.TrimSpace(strings.ReplaceAll(got, "SHLVL=0", "SHLVL=1")) != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	})
	t.Run("root", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, func(j *plan.Job) { j.User = 0; j.WorkingDir = "/" })
		if got := b.passes(`id -u; id -G; pwd; touch "$HOME/x" && echo writable`); got != "0\n0\n/\nwritable\n" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a uid that the guest does not know", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, func(j *plan.Job) { j.User = 4242 })
		if got := b.passes(`id -u; id -g; touch "$HOME/x" && echo writable`); got != "4242\n4242\nwritable\n" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("no standard input", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, nil)
		if got := b.passes("cat; echo end"); got != "end\n" {
			t.Errorf("got %q", got)
		}
	})
}

func TestANetworkOfNoneHasLoopbackOnly(t *testing.T) {
	b := newBench(t, nil)
	got := b.passes(`ls /sys/class/net; cat /sys/class/net/lo/flags; ` +
		`exec 3<>/dev/tcp/127.0.0.1/1 || true; exec 4<>/dev/udp/127.0.0.1/9 && echo routed`)
	if got != "lo\n0x9\nrouted\n" || !strings.Contains(b.errs.String(), "Connection refused") {
		t.Errorf("stdout %q, stderr %q", got, b.errs)
	}
}
