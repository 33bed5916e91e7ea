package runtimetest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sledtools/pikaci/runtime/guest"
)

// ErrTold is why a guest program's context ends that was told to stop: it got
// TERM. A connection that is gone tells the job nothing.
var ErrTold = errors.New("told to stop")

// exec begins a call of the guest program; it runs once all its connections
// are attached.
func (s *Incus) exec(r *http.Request, _ map[string]any) (any, bool, error) {
	i, err := s.find(r)
	if err == nil && i.status != codeRunning {
		err = &refusal{http.StatusBadRequest, "Instance is not running"}
	}
	if err != nil {
		return nil, false, err
	}
	c := &call{instance: i, guest: s.Guest, conns: map[string]chan *websocket.Conn{}}
	if s.NewGuest != nil {
		if i.guest == nil {
			config, _ := i.fields["config"].(map[string]any)
			uuid, _ := config["volatile.uuid"].(string)
			i.guest = s.NewGuest(uuid)
		}
		c.guest = i.guest
	}
	fds := map[string]any{}
	for _, fd := range []string{"control", "0", "1", "2"} {
		fds[fd] = "secret-of-" + fd
		c.conns["secret-of-"+fd] = make(chan *websocket.Conn, 1)
	}
	operation, async, err := s.operation(map[string]any{"fds": fds})
	s.calls[operation.(map[string]any)["id"].(string)] = c
	go s.run(c)
	return operation, async, err
}

// attach gives a call one of its connections.
func (s *Incus) attach(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	c := s.calls[r.PathValue("id")]
	s.mu.Unlock()
	secret := r.URL.Query().Get("secret")
	fault := s.fault("attach " + secret)
	switch {
	case c == nil || c.conns[secret] == nil:
		errorReply(http.StatusNotFound, "Operation not found").send(w)
		return
	case fault == Forbids || fault == Breaks || fault == Unavailable || fault == Resets || fault == Hangs || fault == Late:
		s.suffer(w, r, fault, func() reply { return reply{} })
		return
	case fault == Garbage:
		reply{code: http.StatusOK, body: []byte("<html>Bad gateway")}.send(w)
		return
	}
	conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	switch fault {
	case DoneHangs: // the server never has it
		return
	case DoneResets:
		conn.Close()
		return
	case DoneRestarts:
		s.restart(restartTakes)
		return
	case DoneDies:
		s.restart(0)
		return
	}
	select {
	case c.conns[secret] <- conn:
	default:
		conn.Close() // one is there
	}
	if fault == DoneCut { // in the middle
		time.AfterFunc(2*time.Second, func() { conn.Close() })
	}
}

// attachLimit is how long the server waits for a call's connections.
const attachLimit = 10 * time.Second

// conn waits for a connection of the call; one that is there is taken, however
// late.
func (c *call) conn(fd string, late <-chan struct{}) *websocket.Conn {
	conns := c.conns["secret-of-"+fd]
	select {
	case conn := <-conns:
		return conn
	case <-late:
	}
	select {
	case conn := <-conns:
		return conn
	default:
		return nil
	}
}

func (s *Incus) run(c *call) {
	attaching, cancel := context.WithTimeout(context.Background(), attachLimit)
	defer cancel()
	late := attaching.Done()
	control, stdin, stdout, stderr := c.conn("control", late), c.conn("0", late), c.conn("1", late), c.conn("2", late)
	complete := true
	defer func() {
		for _, conn := range []*websocket.Conn{control, stdin, stdout, stderr} {
			if conn != nil {
				conn.Close()
			}
		}
	}()
	for _, conn := range []*websocket.Conn{control, stdin, stdout, stderr} {
		complete = complete && conn != nil
	}
	if !complete {
		return
	}
	ctx, stop := context.WithCancelCause(c.instance.ctx)
	defer stop(nil)
	go func() {
		var order struct{ Signal int }
		err := control.ReadJSON(&order)
		if err == nil { // the only one is TERM
			err = ErrTold
		}
		stop(err)
	}()
	_, b, err := stdin.ReadMessage()
	if err != nil {
		return
	}
	var start guest.Start
	if err := json.Unmarshal(b, &start); err != nil {
		stderr.WriteMessage(websocket.BinaryMessage, []byte(err.Error()))
	} else {
		c.guest(ctx, start, output{stdout})
	}
	for _, conn := range []*websocket.Conn{stdout, stderr} {
		conn.WriteMessage(websocket.TextMessage, nil) // the end of a stream
	}
}

// output is a stream of binary messages.
type output struct{ conn *websocket.Conn }

func (o output) Write(p []byte) (int, error) {
	if err := o.conn.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
