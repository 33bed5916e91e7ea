package runtimetest

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// wire is a network within a process. Its connections are buffered as those of
// the kernel are, and whoever waits for one waits durably, as testing/synctest
// calls it: so a server on it runs under a fake clock.
type wire struct {
	mu    sync.Mutex
	calls chan net.Conn
	over  chan struct{}
	shut  sync.Once
	// away is the error of those who dial, while nobody listens.
	away  error
	conns map[*end]bool
}

func newWire() *wire {
	return &wire{calls: make(chan net.Conn), over: make(chan struct{}), conns: map[*end]bool{}}
}

// Dial connects to whoever listens.
func (w *wire) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	w.mu.Lock()
	away := w.away
	w.mu.Unlock()
	if away != nil {
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: away}
	}
	there, back := newFlow(), newFlow()
	near, far := &end{w, back, there}, &end{w, there, back}
	w.mu.Lock()
	w.conns[far] = true
	w.mu.Unlock()
	select {
	case w.calls <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.over:
		return nil, &net.OpError{Op: "dial", Net: "unix", Err: syscall.ECONNREFUSED}
	}
}

// Accept is of net.Listener.
func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.calls:
		return c, nil
	case <-w.over:
		return nil, net.ErrClosed
	}
}

// Close is of net.Listener.
func (w *wire) Close() error {
	w.shut.Do(func() { close(w.over) })
	return nil
}

// Addr is of net.Listener.
func (w *wire) Addr() net.Addr { return &net.UnixAddr{Name: "wire", Net: "unix"} }

// cut ends all connections as the death of the server does, and has those who
// dial told why; nil: they are heard again.
func (w *wire) cut(away error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
	if away == nil {
		return
	}
	for c := range w.conns {
		c.reset()
	}
}

// end is one end of a connection.
type end struct {
	wire    *wire
	in, out *flow
}

// Read is of net.Conn.
func (e *end) Read(p []byte) (int, error) { return e.in.read(p) }

// Write is of net.Conn.
func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }

// Close is of net.Conn. What was written arrives.
func (e *end) Close() error {
	e.out.end(io.EOF, syscall.EPIPE)
	e.in.end(net.ErrClosed, syscall.EPIPE)
	e.wire.mu.Lock()
	defer e.wire.mu.Unlock()
	delete(e.wire.conns, e)
	return nil
}

// reset ends the connection as a host does that knows nothing of it.
func (e *end) reset() {
	for _, f := range []*flow{e.in, e.out} {
		f.drop()
		f.end(syscall.ECONNRESET, syscall.EPIPE)
	}
}

// LocalAddr is of net.Conn.
func (e *end) LocalAddr() net.Addr { return e.wire.Addr() }

// RemoteAddr is of net.Conn.
func (e *end) RemoteAddr() net.Addr { return e.wire.Addr() }

// SetDeadline is of net.Conn.
func (e *end) SetDeadline(t time.Time) error { return e.SetReadDeadline(t) }

// SetReadDeadline is of net.Conn.
func (e *end) SetReadDeadline(t time.Time) error { e.in.readUntil(t); return nil }

// SetWriteDeadline is of net.Conn: no write waits.
func (e *end) SetWriteDeadline(time.Time) error { return nil }

// flow is what goes one way.
type flow struct {
	mu    sync.Mutex
	news  *sync.Cond
	bytes []byte
	// readErr follows the bytes, writeErr is of whoever writes.
	readErr, writeErr error
	until             time.Time
	alarm             *time.Timer
}

func newFlow() *flow {
	f := new(flow)
	f.news = sync.NewCond(&f.mu)
	return f
}

func (f *flow) read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.readErr == net.ErrClosed:
			return 0, f.readErr
		case !f.until.IsZero() && !time.Now().Before(f.until):
			return 0, os.ErrDeadlineExceeded
		case len(f.bytes) > 0:
			n := copy(p, f.bytes)
			f.bytes = f.bytes[n:]
			return n, nil
		case f.readErr == syscall.ECONNRESET:
			return 0, &net.OpError{Op: "read", Net: "unix", Err: f.readErr}
		case f.readErr != nil:
			return 0, f.readErr
		}
		f.news.Wait()
	}
}

func (f *flow) write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeErr != nil {
		return 0, &net.OpError{Op: "write", Net: "unix", Err: f.writeErr}
	}
	f.bytes = append(f.bytes, p...)
	f.news.Broadcast()
	return len(p), nil
}

// end ends the flow; the first end counts, but for one's own.
func (f *flow) end(readErr, writeErr error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readErr == nil || readErr == net.ErrClosed {
		f.readErr = readErr
	}
	f.writeErr = writeErr
	f.news.Broadcast()
}

// drop loses what is under way.
func (f *flow) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes = nil
}

func (f *flow) readUntil(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.alarm != nil {
		f.alarm.Stop()
		f.alarm = nil
	}
	f.until = t
	if time.Until(t) > 0 {
		f.alarm = time.AfterFunc(time.Until(t), func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.news.Broadcast()
		})
	}
	f.news.Broadcast()
}
