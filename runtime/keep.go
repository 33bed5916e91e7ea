package runtime

import (
	"context"
	"fmt"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// Keep says whose instances are left for somebody to look into.
type Keep string

// The jobs whose instances are kept: none, those that failed, or every one that
// ended by itself.
const (
	KeepNone   Keep = ""
	KeepFailed Keep = "failed"
	KeepAlways Keep = "always"
)

// Keeper leaves what an executor handed to the run.
type Keeper interface {
	// Keep marks the instance of a lease, so that whoever takes things back
	// leaves it alone until then. It is left as it is, with all its limits.
	Keep(ctx context.Context, l event.Lease, until time.Time) error
}

// keep keeps a job's instance, if it is one of those; false means that it is to
// be taken back. One whose command was never begun shows nothing, and whoever
// stops a run wants it gone.
func (r *run) keep(j *jobRun) bool {
	r.mu.Lock()
	l, held := r.leases[j.Job.ID]
	r.mu.Unlock()
	verdict := j.finished.Verdict
	wanted := r.Keep == KeepFailed && verdict == event.Failed ||
		r.Keep == KeepAlways && (verdict == event.Failed || verdict == event.Passed)
	if !held || !wanted || r.Keeper == nil || l.UUID == "" || j.began.IsZero() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), CleanUpLimit)
	defer cancel()
	kept := event.LeaseKept{Lease: l, Until: time.Now().Add(r.KeepFor).UTC().Truncate(time.Second)}
	if err := r.Keeper.Keep(ctx, l, kept.Until); err != nil {
		fmt.Fprintf(j.Logs.Host, "pikaci: instance %s can't be kept: %v\n", l.Name, err)
		return false
	}
	// A broken journal has no reader that could find it again.
	return r.emit(event.Event{LeaseKept: &kept}) == nil
}
