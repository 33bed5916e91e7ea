package incus

import (
	"context"
	"time"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime/event"
)

// Adopt makes this executor know an instance that another process made, which
// was killed. One that runs has its devices and was started: its command is
// followed. One that is stopped was not started, or it ended together with its
// command, of which nothing can be proved then.
func (x *Executor) Adopt(ctx context.Context, l event.Lease, begun bool) (bool, error) {
	var instance *api.Instance
	var etag string
	err := again(ctx, func(bool) (err error) {
		instance, etag, err = x.client(ctx).GetInstance(l.Name)
		return err
	})
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := isOf(instance, l); err != nil {
		return false, err
	}
	running := instance.StatusCode == api.Running
	if !running && (begun || instance.StatusCode != api.Stopped) {
		return false, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.made[l.Name] = made{instance: instance.Writable(), etag: etag, adopted: true, running: running}
	return true, nil
}

// settleLimit is how long an adopted instance may be busy with what the process
// that was killed had asked for.
const settleLimit = time.Minute

// step does a step of an instance's start. With one that was adopted, whatever
// goes wrong may be the same step, still under way for the process that was
// killed.
func (m *made) step(ctx context.Context, step func(tried bool) error) error {
	begin := time.Now()
	return retry(ctx, func(err error) bool {
		return away(err) || m.adopted && time.Since(begin) < settleLimit
	}, func(tried bool) error { return step(tried || m.adopted) })
}
