package incus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// runner is a small one: it runs the request's command, which is one word.
const runner = `#!/bin/bash
cd "$(dirname "$1")" || exit 9
field() { sed -n "s/.*\"$1\":\[*\"\([^\"]*\)\".*/\1/p" request.json; }
echo "{\"state\":\"running\"}" >status.json
echo "{\"event\":\"started\"}" >>events.jsonl
if [ -e secrets.json ]; then
  stat -c 'secrets %a %u' secrets.json >>stderr.log
  export TOKEN="$(sed -n 's/.*"TOKEN":"\([^"]*\)".*/\1/p' secrets.json)"
fi
export PIKACI_JOB="$(field PIKACI_JOB)" OWN="$(field OWN)"
command="$(field command)"
cd "$(field cwd)" && "$command" >>"$OLDPWD/stdout.log" 2>>"$OLDPWD/stderr.log"
code=$?
cd "$OLDPWD"
echo "{\"event\":\"ended\"}" >>events.jsonl
RESULT
`

// honest tells how the command ended.
const honest = `[ $code = 0 ] && s=passed || s=failed
echo "{\"schema_version\":1,\"status\":\"$s\",\"exit_code\":$code}" >result.json`

// withRunner is a job in an image that brings the runner.
func withRunner(t *testing.T, result, command string, change func(*plan.Job)) *bench {
	b := newBench(t, func(j *plan.Job) {
		j.Incus.GuestRunner = "/workspace/snapshot/runner"
		if change != nil {
			change(j)
		}
	})
	b.file("snapshot/runner", strings.Replace(runner, "RESULT", result, 1), 0o755)
	b.file("snapshot/job", "#!/bin/bash\n"+command+"\n", 0o755)
	b.create()
	return b
}

const runnersJob = "/workspace/snapshot/job"

func TestAnImagesRunnerRunsTheCommand(t *testing.T) {
	t.Parallel()
	b := withRunner(t, honest, `echo "$PIKACI_JOB $OWN $PWD $(id -u)"; echo token $TOKEN >&2; echo art >$HOME/x; exit 7`,
		func(j *plan.Job) { j.Env, j.Secrets = map[string]string{"OWN": "mine"}, []string{"TOKEN"} })
	b.job.Secrets = map[string]string{"TOKEN": "hush"}
	got, err := b.execute(context.Background(), runnersJob)
	if err != nil || got.Failure != event.Test || got.ExitCode == nil || *got.ExitCode != 7 {
		t.Fatalf("%s, %v\n%s", describe(got), err, b.errs.Tail())
	}
	if b.out.String() != "job mine /workspace/snapshot 1000\n" || b.errs.String() != "secrets 600 1000\ntoken hush\n" {
		t.Errorf("stdout %q, stderr %q", b.out, b.errs)
	}
	if log := b.job.Logs.Host.(*runtimetest.Log).String(); !strings.Contains(log, "{\"event\":\"started\"}\n{\"event\":\"ended\"}\n") {
		t.Errorf("host.log: %q", log)
	}
	if left := b.inside("grep -l hush -r /var/lib/pikaci/runner/*.json /var/lib/pikaci/job/started || true"); strings.Contains(left, "json") {
		t.Errorf("the secret is still in %s", left)
	}
}

func TestARunnersLiesAreNoVerdict(t *testing.T) {
	for name, c := range map[string]struct{ result, want string }{
		"no result":    {`echo why not hush; exit 3`, `ended with exit code 3 in state "running" after "why not ***": it left no result.json`},
		"contradicts":  {`echo '{"schema_version":1,"status":"passed","exit_code":1}' >result.json`, "no exit_code 0"},
		"no JSON":      {`echo '{"schema_version":1,' >result.json`, "read its result.json"},
		"endless":      {`head -c 100M /dev/zero >result.json`, "result.json is over 64 KiB"},
		"a link":       {`ln -s /var/lib/pikaci/job/status.json result.json`, "read its result.json"},
		"a pipe":       {`mkfifo result.json`, "not a regular file"},
		"another code": {`echo '{"schema_version":1,"status":"failed","exit_code":-7}' >result.json`, "exit_code -7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := withRunner(t, c.result, "true", func(j *plan.Job) { j.Secrets = []string{"TOKEN"} })
			b.job.Secrets = map[string]string{"TOKEN": "hush"}
			got, err := b.execute(context.Background(), runnersJob)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s, %v; want an error with %q", describe(got), err, c.want)
			}
		})
	}
}

func TestARunnerThatIsNotThereIsSaid(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(j *plan.Job) { j.Incus.GuestRunner = "/opt/nosuch/runner" })
	b.create()
	if got, err := b.execute(context.Background(), "true"); err == nil || !strings.Contains(err.Error(), "start the guest runner /opt/nosuch/runner") {
		t.Errorf("%s, %v", describe(got), err)
	}
}

func TestARunnerIsStopped(t *testing.T) {
	t.Parallel()
	b := withRunner(t, honest, "sleep 600", func(j *plan.Job) { j.TimeoutSecs = 1 })
	got, err := b.execute(context.Background(), runnersJob)
	if err != nil || got.Failure != event.Timeout {
		t.Errorf("%s, %v", describe(got), err)
	}
	c := withRunner(t, honest, "echo begun; sleep 600", nil)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	go func() {
		for !strings.Contains(c.out.String(), "begun") {
			time.Sleep(10 * time.Millisecond)
		}
		cancel(why)
	}()
	if _, err := c.execute(ctx, runnersJob); !errors.Is(err, why) {
		t.Errorf("cancelled: %v", err)
	}
}
