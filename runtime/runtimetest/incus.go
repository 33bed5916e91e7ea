package runtimetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sledtools/pikaci/runtime/guest"
)

// Incus is a fake of the part of Incus' API that executors use. It makes no
// instances: what runs in them is a function of the test. Virtual machines are
// tested against it, where the machine can run none.
type Incus struct {
	// Socket is where it listens.
	Socket string
	// Guest is the guest program: it is told what the host says and writes
	// frames. ctx ends when it gets TERM, or its connection is gone.
	Guest func(ctx context.Context, start guest.Start, out io.Writer)
	// BootPolls is how often a virtual machine is asked for its state before
	// its agent answers.
	BootPolls int
	// Broken is the error of every list of instances, if it is set.
	Broken string
	// Type is of all images; empty: virtual machines.
	Type string
	// Takes is how long an operation takes.
	Takes time.Duration
	// NewGuest gives each instance a guest program of its own, by its uuid;
	// nil: Guest is that of all.
	NewGuest func(uuid string) func(ctx context.Context, start guest.Start, out io.Writer)
	// Faulty says what goes wrong with a call; nil: nothing does.
	Faulty func(Call) Fault

	mu         sync.Mutex
	wire       *wire
	requests   []Request
	called     []Call
	counts     map[string]int
	answered   map[string]reply
	instances  map[string]*instance
	calls      map[string]*call
	operations map[string]time.Time
	made       int
}

// Request is one request that the server got.
type Request struct {
	Method, Path string
	Body         map[string]any
}

// instance is a fake one.
type instance struct {
	fields map[string]any
	etag   int
	status int
	polls  int
	// guest is its guest program, once it was called, and ctx ends with its
	// running.
	guest func(ctx context.Context, start guest.Start, out io.Writer)
	ctx   context.Context
	halt  context.CancelFunc
}

// The status codes of Incus.
const (
	codeStopped = 102
	codeRunning = 103
)

// setStatus starts or stops an instance, if it is not so already.
func (i *instance) setStatus(running bool) bool {
	if running == (i.status == codeRunning) {
		return false
	}
	if running {
		i.status = codeRunning
		i.ctx, i.halt = context.WithCancel(context.Background())
		return true
	}
	i.status = codeStopped
	i.halt()
	return true
}

// call is an exec under way.
type call struct {
	instance *instance
	guest    func(ctx context.Context, start guest.Start, out io.Writer)
	conns    map[string]chan *websocket.Conn
}

// NewIncus starts a fake server that ends with the test. Its guest passes.
func NewIncus(t testing.TB) *Incus {
	t.Helper()
	s := newIncus()
	s.Socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", s.Socket)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, l)
	return s
}

// NewIncusWithin starts one that has no socket but [Incus.Dial]. Within a
// bubble of testing/synctest, it runs under the bubble's clock.
func NewIncusWithin(t testing.TB) *Incus {
	s := newIncus()
	s.wire = newWire()
	s.serve(t, s.wire)
	return s
}

// Dial connects to a server that has no socket.
func (s *Incus) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return s.wire.Dial(ctx, network, address)
}

func newIncus() *Incus {
	return &Incus{Guest: Passes, instances: map[string]*instance{}, calls: map[string]*call{},
		answered: map[string]reply{}, counts: map[string]int{}, operations: map[string]time.Time{}}
}

func (s *Incus) serve(t testing.TB, l net.Listener) {
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(*http.Request, map[string]any) (any, bool, error){
		"GET /1.0":                          s.info,
		"GET /1.0/projects/{name}":          s.exists,
		"GET /1.0/profiles/{name}":          s.exists,
		"GET /1.0/images/aliases/{name...}": s.image,
		"GET /1.0/operations/{id}/wait":     s.wait,
		"POST /1.0/instances":               s.create,
		"GET /1.0/instances":                s.list,
		"GET /1.0/instances/{name}":         s.get,
		"PUT /1.0/instances/{name}":         s.update,
		"DELETE /1.0/instances/{name}":      s.remove,
		"GET /1.0/instances/{name}/state":   s.state,
		"PUT /1.0/instances/{name}/state":   s.setState,
		"POST /1.0/instances/{name}/exec":   s.exec,
	} {
		mux.HandleFunc(pattern, s.answer(f))
	}
	mux.HandleFunc("GET /1.0/operations/{id}/websocket", s.attach)
	server := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

// Passes is a guest whose command prints "hello" and exits with 0.
func Passes(_ context.Context, _ guest.Start, out io.Writer) {
	guest.WriteFrame(out, guest.Started, nil)
	guest.WriteFrame(out, guest.Stdout, []byte("hello\n"))
	guest.WriteFrame(out, guest.Ended, []byte(`{"code": 0, "stdout": 6}`))
	guest.WriteFrame(out, guest.Done, nil)
}

// Requests are what the server got, in order; without those that only wait.
func (s *Incus) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Instances are the names of those that are there.
func (s *Incus) Instances() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.instances))
}

// PowerOff stops all instances, as from inside.
func (s *Incus) PowerOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.instances {
		i.setStatus(false)
	}
}

// refusal is an error with its HTTP status.
type refusal struct {
	code int
	text string
}

func (r *refusal) Error() string { return r.text }

// answer makes a handler of a function that gives the metadata of its answer,
// and whether that is an operation.
func (s *Incus) answer(f func(*http.Request, map[string]any) (any, bool, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		json.NewDecoder(r.Body).Decode(&body)
		fault := s.fault(whatOf(r, body))
		s.suffer(w, r, fault, func() reply { return s.do(r, body, f) })
	}
}

// do does a request.
func (s *Incus) do(r *http.Request, body map[string]any, f func(*http.Request, map[string]any) (any, bool, error)) reply {
	if strings.HasSuffix(r.URL.Path, "/wait") {
		s.await(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(r.URL.Path, "/1.0/operations/") {
		s.requests = append(s.requests, Request{r.Method, r.URL.Path, body})
	}
	metadata, async, err := f(r, body)
	answer := map[string]any{"type": "sync", "status": "Success", "status_code": 200, "metadata": metadata}
	a := reply{code: http.StatusOK}
	if async {
		a.code = http.StatusAccepted
		answer["type"], answer["status_code"] = "async", 100
		answer["operation"] = "/1.0/operations/" + metadata.(map[string]any)["id"].(string)
	}
	if err != nil {
		a.code = http.StatusBadRequest
		if known, ok := err.(*refusal); ok {
			a.code = known.code
		}
		answer = map[string]any{"type": "error", "error": err.Error(), "error_code": a.code}
	}
	if i := s.instances[r.PathValue("name")]; i != nil {
		a.etag = fmt.Sprint(i.etag)
	}
	a.body, err = json.Marshal(answer)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return a
}

func (s *Incus) info(*http.Request, map[string]any) (any, bool, error) {
	return map[string]any{"api_version": "1.0", "auth": "trusted",
		"api_extensions": []string{"projects", "instances", "image_types", "api_filtering", "instance_all_projects", "container_exec_user_group_cwd"},
		"environment":    map[string]any{"kernel_architecture": "x86_64"}}, false, nil
}

func (s *Incus) exists(r *http.Request, _ map[string]any) (any, bool, error) {
	return map[string]any{"name": r.PathValue("name")}, false, nil
}

// image is there, of the type of all images.
func (s *Incus) image(r *http.Request, _ map[string]any) (any, bool, error) {
	kind := s.Type
	if kind == "" {
		kind = "virtual-machine"
	}
	return map[string]any{"name": r.PathValue("name"), "type": kind, "target": "fingerprint"}, false, nil
}

// operation is one that ends soon. What it does is done already.
func (s *Incus) operation(metadata map[string]any) (any, bool, error) {
	s.made++
	id := fmt.Sprintf("operation-%d", s.made)
	s.operations[id] = time.Now().Add(s.Takes)
	return map[string]any{"id": id, "status": "Running", "status_code": codeRunning, "metadata": metadata}, true, nil
}

// await waits for an operation's end, as long as the request wants.
func (s *Incus) await(r *http.Request) {
	s.mu.Lock()
	left := time.Until(s.operations[r.PathValue("id")])
	s.mu.Unlock()
	if seconds, err := strconv.Atoi(r.FormValue("timeout")); err == nil && seconds >= 0 {
		left = min(left, time.Duration(seconds)*time.Second)
	}
	if left <= 0 {
		return
	}
	select {
	case <-time.After(left):
	case <-r.Context().Done():
	}
}

func (s *Incus) wait(r *http.Request, _ map[string]any) (any, bool, error) {
	ends, known := s.operations[r.PathValue("id")]
	switch {
	case !known:
		return nil, false, &refusal{http.StatusNotFound, "Operation not found"}
	case time.Now().Before(ends):
		return map[string]any{"id": r.PathValue("id"), "status": "Running", "status_code": codeRunning}, false, nil
	}
	return map[string]any{"id": r.PathValue("id"), "status": "Success", "status_code": 200}, false, nil
}

func (s *Incus) create(_ *http.Request, body map[string]any) (any, bool, error) {
	name, _ := body["name"].(string)
	if s.instances[name] != nil {
		return nil, false, &refusal{http.StatusConflict, "instance exists: " + name}
	}
	s.made++
	config, _ := body["config"].(map[string]any)
	if config == nil {
		config = map[string]any{}
	}
	config["volatile.uuid"] = fmt.Sprintf("uuid-%d", s.made)
	body["config"], body["created_at"] = config, time.Now()
	s.instances[name] = &instance{fields: body, status: codeStopped}
	return s.operation(nil)
}

func (s *Incus) find(r *http.Request) (*instance, error) {
	if i := s.instances[r.PathValue("name")]; i != nil {
		return i, nil
	}
	return nil, &refusal{http.StatusNotFound, "Instance not found"}
}

func (s *Incus) get(r *http.Request, _ map[string]any) (any, bool, error) {
	i, err := s.find(r)
	if err != nil {
		return nil, false, err
	}
	all := maps.Clone(i.fields)
	all["status_code"] = i.status
	return all, false, nil
}

// list knows one filter: "config.<key> eq <value>".
func (s *Incus) list(r *http.Request, _ map[string]any) (any, bool, error) {
	if s.Broken != "" {
		return nil, false, errors.New(s.Broken)
	}
	key, value, _ := strings.Cut(strings.TrimPrefix(r.URL.Query().Get("filter"), "config."), " eq ")
	all := []any{}
	for _, name := range slices.Sorted(maps.Keys(s.instances)) {
		one := maps.Clone(s.instances[name].fields)
		config, _ := one["config"].(map[string]any)
		if key != "" && config[key] != value {
			continue
		}
		one["status_code"], one["project"] = s.instances[name].status, "default"
		all = append(all, one)
	}
	return all, false, nil
}

func (s *Incus) update(r *http.Request, body map[string]any) (any, bool, error) {
	i, err := s.find(r)
	if err != nil {
		return nil, false, err
	}
	if r.Header.Get("If-Match") != fmt.Sprint(i.etag) {
		return nil, false, &refusal{http.StatusPreconditionFailed, "Precondition failed"}
	}
	i.etag++
	maps.Copy(i.fields, body)
	return s.operation(nil)
}

func (s *Incus) remove(r *http.Request, _ map[string]any) (any, bool, error) {
	i, err := s.find(r)
	if err == nil && i.status != codeStopped {
		err = &refusal{http.StatusBadRequest, "Instance is running"}
	}
	if err != nil {
		return nil, false, err
	}
	if i.halt != nil {
		i.halt()
	}
	delete(s.instances, r.PathValue("name"))
	return s.operation(nil)
}

func (s *Incus) state(r *http.Request, _ map[string]any) (any, bool, error) {
	i, err := s.find(r)
	if err != nil {
		return nil, false, err
	}
	processes := 1
	if i.fields["type"] == "virtual-machine" && i.polls < s.BootPolls {
		i.polls++
		processes = -1
	}
	return map[string]any{"status_code": i.status, "processes": processes}, false, nil
}

func (s *Incus) setState(r *http.Request, body map[string]any) (any, bool, error) {
	i, err := s.find(r)
	if err != nil {
		return nil, false, err
	}
	if i.setStatus(body["action"] == "start") {
		return s.operation(nil)
	}
	return nil, false, &refusal{http.StatusBadRequest, fmt.Sprintf("The instance is already so: %v", body["action"])}
}
