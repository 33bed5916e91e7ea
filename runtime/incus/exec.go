package incus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/gorilla/websocket"
	"github.com/lxc/incus/v6/shared/api"
	"github.com/lxc/incus/v6/shared/ws"
	"golang.org/x/sync/errgroup"
)

// call is one exec of the guest program. The client's own ExecInstance copies
// in goroutines that end when the server wants them to; here whoever reads
// holds the connections, and closes them.
type call struct {
	control, stdin, stdout, stderr *websocket.Conn
	words                          words
	// heard is closed once the guest program has said something, and closed
	// once the call is.
	heard, closed chan struct{}
	hear, shut    sync.Once
}

// exec starts the guest program with input on its stdin. The call must be
// closed.
func (x *Executor) exec(ctx context.Context, name string, input []byte) (*call, error) {
	server := x.client(ctx)
	op, _, err := server.RawOperation("POST", "/instances/"+url.PathEscape(name)+"/exec", execGuest(), "")
	if err != nil {
		return nil, err
	}
	id := op.Get().ID
	secrets, _ := op.Get().Metadata["fds"].(map[string]any)
	c := &call{heard: make(chan struct{}), closed: make(chan struct{})}
	// The server begins when all of them are there, and waits 10 s for that.
	var attach errgroup.Group
	for fd, conn := range map[string]**websocket.Conn{
		api.SecretNameControl: &c.control, "0": &c.stdin, "1": &c.stdout, "2": &c.stderr} {
		secret, _ := secrets[fd].(string)
		attach.Go(func() (err error) {
			*conn, err = server.GetOperationWebsocket(id, secret)
			return err
		})
	}
	if err := attach.Wait(); err != nil {
		c.close()
		return nil, fmt.Errorf("attach to the guest program: %w", err)
	}
	c.words.ended = make(chan struct{})
	go c.words.take(c.stderr)
	// Somebody must read, for the server's pings to be answered.
	go c.control.NextReader()
	go c.stdin.NextReader()
	stdin := ws.NewWrapper(c.stdin)
	if _, err = stdin.Write(input); err == nil {
		err = stdin.Close() // says that no more comes
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("send the request to the guest program: %w", err)
	}
	return c, nil
}

// output is what the guest program writes to its stdout.
func (c *call) output() io.Reader { return &output{c, ws.NewWrapper(c.stdout)} }

// output is the stdout of a call, which notes that something came.
type output struct {
	call *call
	r    io.Reader
}

func (o *output) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if n > 0 {
		o.call.hear.Do(func() { close(o.call.heard) })
	}
	return n, err
}

// When the job is asked to stop.
const (
	// deafLimit is how long a guest program that has said nothing may still
	// be on its way: a signal that comes before it listens kills it, and the
	// job is not stopped.
	deafLimit = 500 * time.Millisecond
	stopPause = time.Second
)

// stop asks the job to stop, until the call is closed.
func (c *call) stop() {
	select {
	case <-c.heard:
	case <-c.closed:
		return
	case <-time.After(deafLimit):
	}
	for {
		c.control.WriteJSON(api.InstanceExecControl{Command: "signal", Signal: 15})
		select {
		case <-c.closed:
			return
		case <-time.After(stopPause):
		}
	}
}

// complaint is what the guest program said at its end; nil where it said
// nothing.
func (c *call) complaint() error {
	select {
	case <-c.words.ended:
	case <-time.After(time.Second): // its output has ended, so this will
	}
	if said := c.words.String(); said != "" {
		return errors.New(said)
	}
	return nil
}

// close ends the call. A guest program that still runs is killed by the
// server; the job's supervisor is not.
func (c *call) close() {
	c.shut.Do(func() { close(c.closed) })
	for _, conn := range []*websocket.Conn{c.control, c.stdin, c.stdout, c.stderr} {
		if conn != nil {
			conn.Close()
		}
	}
}

// words keeps the beginning of what a guest says.
type words struct {
	ended chan struct{}
	mu    sync.Mutex
	said  []byte
}

const maxWords = 500

func (w *words) take(conn *websocket.Conn) {
	defer close(w.ended)
	io.Copy(w, ws.NewWrapper(conn))
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, p[:min(len(p), maxWords-len(w.said))]...)
	return len(p), nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return clean(string(w.said))
}

// clean makes one short line of a guest's words.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s[:min(len(s), maxWords)])
	return strings.Join(strings.Fields(s), " ")
}
