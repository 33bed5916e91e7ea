package runtimetest

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/sledtools/pikaci/runtime/guest"
)

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
	fds := map[string]any{}
	c := &call{conns: map[string]chan *websocket.Conn{}}
	for _, fd := range []string{"control", "0", "1", "2"} {
		fds[fd] = "secret-of-" + fd
		c.conns["secret-of-"+fd] = make(chan *websocket.Conn, 1)
	}
	operation, async, err := s.operation(map[string]any{"fds": fds})
	s.calls[operation.(map[string]any)["id"].(string)] = c
	go s.run(c)
	return operation, async, err
}

func (s *Incus) attach(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	c := s.calls[r.PathValue("id")]
	s.mu.Unlock()
	if c == nil || c.conns[r.URL.Query().Get("secret")] == nil {
		http.Error(w, "no such operation", http.StatusNotFound)
		return
	}
	conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
	if err == nil {
		c.conns[r.URL.Query().Get("secret")] <- conn
	}
}

func (s *Incus) run(c *call) {
	control, stdin := <-c.conns["secret-of-control"], <-c.conns["secret-of-0"]
	stdout, stderr := <-c.conns["secret-of-1"], <-c.conns["secret-of-2"]
	defer func() {
		for _, conn := range []*websocket.Conn{control, stdin, stdout, stderr} {
			conn.Close()
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel()
		var order struct{ Signal int }
		control.ReadJSON(&order) // the only one is TERM; else it is gone
	}()
	_, b, err := stdin.ReadMessage()
	if err != nil {
		return
	}
	var start guest.Start
	if err := json.Unmarshal(b, &start); err != nil {
		stderr.WriteMessage(websocket.BinaryMessage, []byte(err.Error()))
	} else {
		s.Guest(ctx, start, output{stdout})
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
