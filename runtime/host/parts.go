package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	goruntime "runtime"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
)

// Parts are what a job's result hangs on of the host, as far as that can be
// told: a lane that lets an earlier pass of a host job stand in says that there
// is nothing else.
func (x *Executor) Parts(ctx context.Context, j *runtime.JobContext) ([]event.Part, error) {
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	passed, err := json.Marshal(x.passed())
	if err != nil {
		return nil, err
	}
	shell, err := x.shellPart(ctx, j)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(passed)
	return []event.Part{
		{Name: "host", Value: fmt.Sprintf("%s, %s/%s, uid %d", name, goruntime.GOOS, goruntime.GOARCH, os.Getuid())},
		{Name: "host_env", Value: hex.EncodeToString(sum[:])},
		{Name: "dev_shell", Value: shell},
	}, nil
}

// shellPart is the job's development shell. The name tells all where the whole
// snapshot is a part too; a job that reads only some of it hangs on whatever the
// shell is made of, so it must be the very same one.
func (x *Executor) shellPart(ctx context.Context, j *runtime.JobContext) (string, error) {
	if j.Job.DevShell == "" || j.Job.Reads == nil {
		return j.Job.DevShell, nil
	}
	drv, err := x.options.ShellDerivation(ctx, j.RunContext, j.Job.DevShell)
	return j.Job.DevShell + " " + drv, err
}

// passed are the variables that jobs get from exec's own environment.
func (x *Executor) passed() map[string]string {
	env := make(map[string]string)
	for _, name := range append([]string{"PATH"}, x.options.PassEnv...) {
		if v, ok := x.options.LookupEnv(name); ok {
			env[name] = v
		}
	}
	return env
}
