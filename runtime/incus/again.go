package incus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

// client is a client whose requests end with ctx. WithContext changes the
// client that it is called on, so that is one of this call's own.
func (x *Executor) client(ctx context.Context) incus.InstanceServer {
	p, ok := x.server.UseProject(x.options.Project).(*incus.ProtocolIncus)
	if !ok {
		panic("BUG: the client is of another kind")
	}
	return p.WithContext(ctx)
}

// errForgotten means that the server knows nothing of an operation that it
// began: it was restarted.
var errForgotten = errors.New("the server was restarted meanwhile")

// wait waits for an operation. The server goes on with one that is not waited
// for any more: what it makes is found by its mark and taken back.
//
// The operation's own Wait writes to the transport, which all clients share
// and which others read at the time. This makes the same request.
func (x *Executor) wait(ctx context.Context, op incus.Operation) error {
	for {
		now, _, err := x.client(ctx).GetOperationWaitSecret(op.Get().ID, "", waitSeconds)
		switch {
		case err == nil && !now.StatusCode.IsFinal():
			if err := pause(ctx, firstPause); err != nil { // the server asks to be asked again
				return err
			}
		case err == nil && now.Err != "":
			return errors.New(now.Err)
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isNotFound(err):
			return fmt.Errorf("%w: %w", errForgotten, err)
		default:
			return err
		}
	}
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func isNotFound(err error) bool { return api.StatusErrorCheck(err, http.StatusNotFound) }

// away reports whether the server did not answer, or not yet: it is being
// restarted. What was asked for may have been done or not.
func away(err error) bool {
	for _, e := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOENT,
		io.EOF, io.ErrUnexpectedEOF, errForgotten} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.As(err, new(*silentError)) || api.StatusErrorCheck(err, http.StatusServiceUnavailable)
}

// The pauses between tries, doubled each time.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
)

// again does a step until it works or fails for good. A server that is away is
// waited for; the step is told whether it was tried before, and may be half
// done.
func again(ctx context.Context, step func(tried bool) error) error {
	return retry(ctx, away, step)
}

// retry does a step as long as its error is worth another try, and at most for
// lostLimit.
func retry(ctx context.Context, worth func(error) bool, step func(tried bool) error) error {
	begin, tried := time.Now(), false
	for wait := firstPause; ; wait = min(2*wait, lastPause) {
		err := step(tried)
		if err != nil && ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		if err == nil || !worth(err) || time.Since(begin) > lostLimit {
			return err
		}
		tried = true
		pause(ctx, wait)
	}
}
