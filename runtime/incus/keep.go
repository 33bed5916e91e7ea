package incus

import (
	"context"
	"net/http"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime/event"
)

// markKeep is on an instance that was kept: until when nobody takes it back.
const markKeep = "user.pikaci.keep_until"

// Keep marks the instance of a lease as kept. It is read again first, and left
// alone if it is another one.
func (x *Executor) Keep(ctx context.Context, l event.Lease, until time.Time) error {
	worth := func(err error) bool { return away(err) || api.StatusErrorCheck(err, http.StatusPreconditionFailed) }
	return retry(ctx, worth, func(bool) error {
		instance, etag, err := x.client(ctx).GetInstance(l.Name)
		if err != nil {
			return err
		}
		if err := isOf(instance, l); err != nil {
			return err
		}
		put := instance.Writable()
		put.Config[markKeep] = until.UTC().Format(time.RFC3339)
		op, err := x.client(ctx).UpdateInstance(l.Name, put, etag)
		if err != nil {
			return err
		}
		return x.wait(ctx, op)
	})
}

// keptUntil reads the mark; the zero time is of an instance that was not kept.
// One that can't be read is none: it was not written by Keep.
func keptUntil(config map[string]string) time.Time {
	until, err := time.Parse(time.RFC3339, config[markKeep])
	if err != nil {
		return time.Time{}
	}
	return until
}
