package gc

import (
	"context"
	"slices"
	"time"

	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/record"
)

// Settle is how long after its asker's death an instance may come to be: the
// server goes on with a request that it got, and lists the instance only then.
const Settle = 10 * time.Second

// settlePause is between two lists while one is waited for.
const settlePause = 200 * time.Millisecond

// inventory is the server's list, once no instance is on its way any more that
// a run which was killed just now had asked for.
func (o *Options) inventory(ctx context.Context, dirs []*record.Dir) ([]incus.Found, error) {
	for {
		found, err := o.Server.Inventory(ctx)
		if err != nil {
			return nil, err
		}
		if !o.onItsWay(dirs, found) {
			return found, nil
		}
		select {
		case <-time.After(settlePause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// onItsWay reports whether a run that was killed just now had intended an
// instance that is not listed and was never seen. What can't be read is not
// waited for.
func (o *Options) onItsWay(dirs []*record.Dir, found []incus.Found) bool {
	return slices.ContainsFunc(dirs, func(d *record.Dir) bool {
		if o.Run != "" && d.ID != o.Run || d.Ended() || time.Since(d.LastWritten()) > Settle {
			return false
		}
		if live, err := d.Live(); err != nil || live {
			return false
		}
		past, err := d.Read()
		if err != nil {
			return false
		}
		for _, l := range past.Run.Leases {
			if l.UUID == "" && !slices.ContainsFunc(found, func(f incus.Found) bool { return f.Name == l.Name }) {
				return true
			}
		}
		return false
	})
}
