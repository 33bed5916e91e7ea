package main

import (
	"context"
	"time"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// keepFor is how long an instance is kept unless --keep-for says otherwise.
const keepFor = 24 * time.Hour

// checkKeep refuses what can't be kept.
func (f *execFlags) checkKeep() error {
	switch {
	case f.keep == "" && f.set.Changed("keep-for"):
		return usage("", "--keep-for says how long, and --keep what: it is not given")
	case f.keep == "":
		return nil
	case f.keepFor <= 0:
		return usage("", "--keep-for %s: want more than 0", f.keepFor)
	}
	return oneOf("--keep", f.keep, []string{string(runtime.KeepFailed), string(runtime.KeepAlways)})
}

// keeper notes the run among those that have something kept before anything is.
type keeper struct {
	instances instances
	stateRoot string
	run       string
}

// Keep notes and keeps.
func (k *keeper) Keep(ctx context.Context, l event.Lease, until time.Time) error {
	if err := record.NoteKept(k.stateRoot, k.run, until); err != nil {
		return err
	}
	return k.instances.Keep(ctx, l, until)
}
