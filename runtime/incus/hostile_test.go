package incus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

func root(j *plan.Job) { j.User, j.WorkingDir, j.TimeoutSecs = 0, "/", 3 }

// What a job's root does to the guest ends the job, soon and with a clear
// error, and never the host. A status is moved to its place: half a one, read
// while it is written, is another case.
func TestAGuestThatBreaksItself(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"power off", "kill -9 1; poweroff -f 2>/dev/null; kill -PWR 1; sleep 60", "stopped while its command ran"},
		{"the supervisor killed", "kill -9 $PPID; sleep 60", "the supervisor was killed"},
		{"the supervisor told to stop", "kill -TERM $PPID; sleep 60", "the command was stopped from inside"},
		{"all killed but init", "kill -9 -1; sleep 60", "the supervisor was killed"},
		{"a status of its own", "echo '{\"code\": 0}' > /s; mv /s /var/lib/pikaci/job/status.json; sleep 60", ""},
		{"garbage for a status", "echo garbage > /s; mv /s /var/lib/pikaci/job/status.json; sleep 60", "its status: invalid character"},
		{"a sparse status", "truncate -s 1T /s; mv /s /var/lib/pikaci/job/status.json; sleep 60", "status is too large"},
		{"a FIFO for a status", "mkfifo /var/lib/pikaci/job/status.json; sleep 60", "not a regular file"},
		{"a folder for a status", "mkdir /var/lib/pikaci/job/status.json; sleep 60", "not a regular file"},
		{"a link for a status", "ln -s /dev/zero /var/lib/pikaci/job/status.json; sleep 60", "too many levels of symbolic links"},
		{"no job folder", "rm -rf /var/lib/pikaci/job; sleep 60", "the supervisor was killed"},
		{"output taken away", "echo hi; sleep 0.5; : > /var/lib/pikaci/job/stdout", ""},
		{"output made large", "echo hi; sleep 0.5; kill -9 $PPID; truncate -s 1G /var/lib/pikaci/job/stdout; sleep 60", "the supervisor was killed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, root)
			b.create()
			start := time.Now()
			out, err := b.execute(context.Background(), "bash", "-c", c.script)
			if took := time.Since(start); took > 45*time.Second {
				t.Errorf("took %s", took)
			}
			switch {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%+v, %v; want %q", out, err, c.want)
			}
		})
	}
}

func TestCancelReachesTheCommand(t *testing.T) {
	for _, c := range []struct {
		name, script string
		limit        time.Duration
		after        string
	}{
		{"TERM", `trap 'echo "got TERM"; exit 3' TERM; echo ready; while :; do sleep 0.1; done`, 5 * time.Second, "got TERM"},
		{"TERM to the group", `bash -c 'trap "echo child; exit" TERM; echo ready; while :; do sleep 0.1; done' & wait`, 5 * time.Second, "child"},
		{"TERM ignored", `trap '' TERM; echo ready; while :; do sleep 0.1; done`, 15 * time.Second, "ready"},
		{"the supervisor halted", `kill -STOP $PPID; echo ready; while :; do sleep 0.1; done`, 25 * time.Second, "ready"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, root)
			b.job.Job.TimeoutSecs = 600
			b.create()
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(context.Background())
			var start time.Time
			go func() {
				b.out.Until(t, "ready")
				start = time.Now()
				cancel(why)
			}()
			out, err := b.execute(ctx, "bash", "-c", c.script)
			if !errors.Is(err, why) || out.Verdict != "" {
				t.Errorf("%+v, %v", out, err)
			}
			if took := time.Since(start); took > c.limit {
				t.Errorf("took %s", took)
			}
			if !strings.Contains(b.out.String(), c.after) {
				t.Errorf("stdout: %q", b.out)
			}
		})
	}
}

func TestCancelBeforeTheStartMakesNothing(t *testing.T) {
	b := newBench(t, nil)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	for _, n := range []*plan.Node{
		{ID: plan.PrepareRunnerID("job"), IncusInstance: &plan.IncusInstance{Job: "job"}},
		{ID: plan.ExecuteID("job"), GuestCommand: &plan.GuestCommand{Job: "job", Command: []string{"true"}}},
	} {
		if out, err := b.x.Execute(ctx, b.task(n)); !errors.Is(err, why) {
			t.Errorf("%s: %+v, %v", n.ID, out, err)
		}
	}
	if left := b.left(); len(left) > 0 {
		t.Errorf("made %v", left)
	}
}

func TestCancelWhileAnInstanceIsMadeLeavesNothing(t *testing.T) {
	for _, after := range []time.Duration{0, 10 * time.Millisecond, 50 * time.Millisecond, 150 * time.Millisecond} {
		b := newBench(t, nil)
		ctx, cancel := context.WithTimeoutCause(context.Background(), after, errors.New("enough"))
		b.x.Execute(ctx, b.task(&plan.Node{ID: plan.PrepareRunnerID("job"), IncusInstance: &plan.IncusInstance{Job: "job"}}))
		if ctx.Err() == nil {
			b.execute(ctx, "sleep", "60")
		}
		cancel()
	}
}

// A signal that reached the guest program before it listened killed it, and the
// job ran on.
func TestCancelWhileTheGuestProgramStarts(t *testing.T) {
	for _, after := range []time.Duration{0, 2, 5, 10, 20, 30, 50, 80} {
		t.Run(fmt.Sprintf("%d ms", after), func(t *testing.T) {
			b := newBench(t, nil)
			b.create()
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			var at time.Time
			task := b.task(&plan.Node{ID: plan.ExecuteID("job"), GuestCommand: &plan.GuestCommand{Job: "job", Command: []string{"sleep", "60"}}})
			task.Emit = func(e event.Event) error {
				if e.PhaseStarted != nil && e.PhaseStarted.Phase == event.Command {
					time.AfterFunc(after*time.Millisecond, func() { at = time.Now(); cancel(why) })
				}
				return b.emit(e)
			}
			out, err := b.x.Execute(ctx, task)
			if took := time.Since(at); !errors.Is(err, why) || took > 2*time.Second {
				t.Errorf("%+v, %v after %s", out, err, took)
			}
		})
	}
}

func TestAGuestsWordsAreMadeOneShortLine(t *testing.T) {
	b := newBench(t, root)
	b.create()
	out, err := b.execute(context.Background(), "bash", "-c",
		`printf '{"code": 1, "problem": "a\\nb\\u001b[31m%5000s"}' x > /s; mv /s /var/lib/pikaci/job/status.json; sleep 60`)
	if err != nil || out.Verdict != event.Failed || len(out.Reason) > 600 || strings.ContainsAny(out.Reason, "\n\x1b") {
		t.Errorf("%+v, %v", out, err)
	}
}
