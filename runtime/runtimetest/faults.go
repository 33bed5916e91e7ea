package runtimetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Fault is what goes wrong with one call of the fake server's API. A call is a
// request, or the attaching to a stream of an exec.
type Fault string

// The faults. What has Done in its name is done before.
const (
	NoFault Fault = ""
	// Forbids, Breaks and Unavailable answer with an error: 403, 500, 503.
	Forbids     Fault = "forbids"
	Breaks      Fault = "breaks"
	Unavailable Fault = "unavailable"
	// Resets ends the connection without an answer.
	Resets Fault = "resets"
	// Hangs never answers.
	Hangs Fault = "hangs"
	// Late never answers, and is done after more time than anybody waits for.
	Late Fault = "late"
	// DoneHangs, DoneResets and DoneCut answer nothing, or half.
	DoneHangs  Fault = "done, hangs"
	DoneResets Fault = "done, resets"
	DoneCut    Fault = "done, cut"
	// DoneTwice and DoneTwiceFirst are requests that arrive twice; the second
	// answer is given, or the first.
	DoneTwice      Fault = "done twice"
	DoneTwiceFirst Fault = "done twice, first answer"
	// AnswersTwice says the same answer once more.
	AnswersTwice Fault = "answers twice"
	// Stale answers what was answered to the same request the first time.
	Stale Fault = "stale"
	// Garbage is an answer that is none.
	Garbage Fault = "garbage"
	// DoneRestarts kills the server, which is back after some seconds and knows
	// of no operation any more; its guests go on. DoneDies never comes back.
	DoneRestarts Fault = "done, restarts"
	DoneDies     Fault = "done, dies"
)

// Call is one call: what it is of, and the how manieth of these, from 1 on.
type Call struct {
	What string
	N    int
}

// Faults are those that the call can have: with a question that changes
// nothing, some come to the same.
func (c Call) Faults() []Fault {
	all := []Fault{Forbids, Breaks, Unavailable, Resets, Hangs, DoneCut, Garbage, DoneRestarts, DoneDies}
	switch {
	case c.attaches():
		return append(all, DoneHangs, DoneResets)
	case strings.HasPrefix(c.What, http.MethodGet+" "):
		return append(all, AnswersTwice, Stale)
	}
	return append(all, Late, DoneHangs, DoneResets, DoneTwice, DoneTwiceFirst, AnswersTwice)
}

func (c Call) attaches() bool { return strings.HasPrefix(c.What, "attach ") }

// lateBy is how long after its request a late call's effect comes.
const lateBy = 6 * time.Minute

// restartTakes is how long a server that restarts is away.
const restartTakes = 3 * time.Second

// Calls are all calls that the server got, in order.
func (s *Incus) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.called...)
}

// fault is what is to go wrong with a call, which it notes.
func (s *Incus) fault(what string) Fault {
	s.mu.Lock()
	s.counts[what]++
	c := Call{what, s.counts[what]}
	s.called = append(s.called, c)
	s.mu.Unlock()
	if s.Faulty == nil {
		return NoFault
	}
	return s.Faulty(c)
}

// whatOf names a request by its pattern, and a change of state by its action.
func whatOf(r *http.Request, body map[string]any) string {
	what := strings.Replace(r.Pattern, " /1.0/", " /", 1)
	if action, ok := body["action"].(string); ok {
		what += " " + action
	}
	return what
}

// reply is an answer before it is sent.
type reply struct {
	code int
	etag string
	body []byte
}

func (a reply) send(w http.ResponseWriter) {
	if a.etag != "" {
		w.Header().Set("ETag", a.etag)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.code)
	w.Write(a.body)
}

func errorReply(code int, text string) reply {
	b, _ := json.Marshal(map[string]any{"type": "error", "error": text, "error_code": code})
	return reply{code: code, body: b}
}

// suffer does a request as the fault has it; do does it and gives its answer.
func (s *Incus) suffer(w http.ResponseWriter, r *http.Request, f Fault, do func() reply) {
	switch f {
	case Forbids:
		errorReply(http.StatusForbidden, "Forbidden").send(w)
	case Breaks:
		errorReply(http.StatusInternalServerError, "database is locked").send(w)
	case Unavailable:
		errorReply(http.StatusServiceUnavailable, "Daemon is starting up").send(w)
	case Garbage:
		do()
		reply{code: http.StatusOK, body: []byte("<html>Bad gateway")}.send(w)
	case Resets:
		drop(w)
	case Hangs:
		<-r.Context().Done()
	case Late:
		time.AfterFunc(lateBy, func() { do() })
		<-r.Context().Done()
	case DoneHangs:
		do()
		<-r.Context().Done()
	case DoneResets:
		do()
		drop(w)
	case DoneCut:
		cut(w, do())
	case DoneTwice:
		do()
		do().send(w)
	case DoneTwiceFirst:
		first := do()
		do()
		first.send(w)
	case AnswersTwice:
		a := do()
		a.body = append(a.body, a.body...)
		a.send(w)
	case Stale:
		now := do()
		s.mu.Lock()
		before, ok := s.answered[r.Method+" "+r.URL.String()]
		s.mu.Unlock()
		if ok && r.Method == http.MethodGet {
			now = before
		}
		now.send(w)
	case DoneRestarts:
		do()
		s.restart(restartTakes)
	case DoneDies:
		do()
		s.restart(0)
	default:
		a := do()
		s.mu.Lock()
		if key := r.Method + " " + r.URL.String(); s.answered[key].body == nil {
			s.answered[key] = a
		}
		s.mu.Unlock()
		a.send(w)
	}
}

// drop ends the connection of a request.
func drop(w http.ResponseWriter) {
	if conn := hijack(w); conn != nil {
		if e, ok := conn.(*end); ok {
			e.reset()
		}
		conn.Close()
	}
}

// cut sends half of an answer.
func cut(w http.ResponseWriter, a reply) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", a.code, len(a.body))
	b.Write(a.body[:len(a.body)/2])
	if conn := hijack(w); conn != nil {
		io.Copy(conn, &b)
		conn.Close()
	}
}

func hijack(w http.ResponseWriter) net.Conn {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic("BUG: a connection that can't be had")
	}
	conn, _, err := h.Hijack()
	if err != nil && !errors.Is(err, http.ErrHijacked) {
		return nil // it is gone
	}
	return conn
}

// restart ends all connections and forgets all operations; 0: for ever.
func (s *Incus) restart(away time.Duration) {
	s.mu.Lock()
	clear(s.calls)
	clear(s.operations)
	s.mu.Unlock()
	s.wire.cut(syscall.ECONNREFUSED)
	if away > 0 {
		time.AfterFunc(away, func() { s.wire.cut(nil) })
	}
}
