package incus_test

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/runtimetest"
)

// proxy passes requests on to the local Incus and keeps what they were.
type proxy struct {
	socket string
	mu     sync.Mutex
	seen   []string
	silent map[net.Conn]bool
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{socket: filepath.Join(t.TempDir(), "s"), silent: map[net.Conn]bool{}}
	l, err := net.Listen("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "unix"}) },
		// incusd accepts no connection while one that it accepted is silent, so
		// none is kept that was dialled for a request and then not needed.
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", incusSocket())
		}},
	}
	s := &http.Server{ConnState: p.state, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.seen = append(p.seen, r.Method+" "+r.URL.Path)
		p.mu.Unlock()
		pass.ServeHTTP(w, r)
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return p
}

// incusSocket is where the local Incus listens.
func incusSocket() string {
	return filepath.Join(cmp.Or(os.Getenv("INCUS_DIR"), "/var/lib/incus"), "unix.socket")
}

// state knows a connection as silent until its first byte.
func (p *proxy) state(c net.Conn, now http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now == http.StateNew {
		p.silent[c] = true
	} else {
		delete(p.silent, c)
	}
}

// From the connection to the instance's end, with a payload and an artifact.
func TestOneJobTakesFewRequests(t *testing.T) {
	const most = 24
	p := newProxy(t)
	b := newBenchAt(t, p.socket, wants("*"))
	b.file("out/f", "payload\n", 0o644)
	b.payload("role", "out", "/staged")
	b.passes("cat /staged/f; echo 1 > $PIKACI_ARTIFACTS/a")
	if err := b.x.Release(context.Background(), *b.lease); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t.Logf("%d requests:\n%s", len(p.seen), strings.Join(p.seen, "\n"))
	if len(p.seen) > most {
		t.Errorf("%d requests, want at most %d", len(p.seen), most)
	}
	if len(p.silent) > 0 {
		t.Errorf("%d connections are open and silent: nobody else reaches incusd", len(p.silent))
	}
}

// How long a job's output takes to a file, by the gibibyte.
func BenchmarkOutput(b *testing.B) {
	const size = 1 << 30
	b.SetBytes(size)
	for b.Loop() {
		b.StopTimer()
		x := newBench(b, nil)
		file, err := os.Create(filepath.Join(b.TempDir(), "stdout.log"))
		if err != nil {
			b.Fatal(err)
		}
		x.job.Logs = runtime.Logs{Host: new(runtimetest.Log), Stdout: file, Stderr: new(runtimetest.Log)}
		x.create()
		b.StartTimer()
		out, err := x.execute(context.Background(), "head", "-c", "1G", "/dev/zero")
		b.StopTimer()
		info, _ := file.Stat()
		if err != nil || out.Verdict != event.Passed || info.Size() != size {
			b.Fatalf("%+v, %v, %d bytes", out, err, info.Size())
		}
		file.Close()
		os.Remove(file.Name())
		x.takeBack()
		b.StartTimer()
	}
}
