package otlp_test

import (
	"compress/gzip"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/otlp"
)

// collector is a fake one: it answers with what is left of answers, then 200.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	answers  []int
	say      string
	requests []*http.Request
	bodies   [][]byte
}

func newCollector(t *testing.T, start func(*httptest.Server), answers ...int) *collector {
	c := &collector{answers: answers}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(r.Body)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		c.requests, c.bodies = append(c.requests, r), append(c.bodies, b)
		if len(c.answers) > 0 {
			w.WriteHeader(c.answers[0])
			c.answers = c.answers[1:]
			return
		}
		io.WriteString(w, c.say)
	}))
	start(c.Server)
	t.Cleanup(c.Server.Close)
	return c
}

func exporter(t *testing.T, env map[string]string) *otlp.Exporter {
	t.Helper()
	x, err := otlp.FromEnv(func(name string) (string, bool) { v, ok := env[name]; return v, ok }, "v1")
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestExport(t *testing.T) {
	c := newCollector(t, (*httptest.Server).Start, http.StatusServiceUnavailable)
	x := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL + "/base/", "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20eA==, x-a = b",
		"OTEL_SERVICE_NAME": "ci", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod,service.name=other", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
	if err := x.Export(t.Context(), otlp.Spans(aRun(""), nil)); err != nil {
		t.Fatal(err)
	}
	if len(c.requests) != 2 {
		t.Fatalf("%d requests: the first was refused for a while", len(c.requests))
	}
	r := c.requests[1]
	if r.URL.Path != "/base/v1/traces" || r.Header.Get("Content-Type") != "application/json" ||
		r.Header.Get("Authorization") != "Basic eA==" || r.Header.Get("X-A") != "b" {
		t.Errorf("%s %v", r.URL, r.Header)
	}
	var got struct {
		ResourceSpans []struct {
			Resource struct {
				Attributes []struct {
					Key   string
					Value struct{ StringValue string }
				}
			}
			ScopeSpans []struct {
				Spans []struct {
					TraceID           string `json:"traceId"`
					SpanID            string `json:"spanId"`
					ParentSpanID      string `json:"parentSpanId"`
					Name              string
					Kind              int
					StartTimeUnixNano string
					EndTimeUnixNano   string
					Status            struct{ Code int }
				}
			}
		}
	}
	if err := json.Unmarshal(c.bodies[1], &got); err != nil {
		t.Fatal(err)
	}
	who := map[string]string{}
	for _, a := range got.ResourceSpans[0].Resource.Attributes {
		who[a.Key] = a.Value.StringValue
	}
	if who["service.name"] != "ci" || who["deployment.environment.name"] != "prod" || who["service.version"] != "v1" {
		t.Errorf("resource %v", who)
	}
	run := got.ResourceSpans[0].ScopeSpans[0].Spans[0]
	if run.TraceID != traceID || run.ParentSpanID != spanID || len(run.SpanID) != 16 || run.Kind != 2 || run.Status.Code != 2 ||
		run.StartTimeUnixNano != "1767323045000000000" || run.EndTimeUnixNano != "1767323045100000000" {
		t.Errorf("%+v", run)
	}
}

// TestExportInManyRequests: thousands of spans are not one body.
func TestExportInManyRequests(t *testing.T) {
	c := newCollector(t, (*httptest.Server).Start)
	x := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.URL + "/own"})
	if err := x.Export(t.Context(), make([]otlp.Span, 2500)); err != nil {
		t.Fatal(err)
	}
	if len(c.requests) != 3 || c.requests[0].URL.Path != "/own" {
		t.Errorf("%d requests to %s", len(c.requests), c.requests[0].URL)
	}
}

func TestExportOverTLS(t *testing.T) {
	c := newCollector(t, (*httptest.Server).StartTLS)
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "OTEL_EXPORTER_OTLP_TIMEOUT": "400"}
	if err := exporter(t, env).Export(t.Context(), make([]otlp.Span, 1)); err == nil {
		t.Error("a certificate that nobody vouches for is taken")
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	env["OTEL_EXPORTER_OTLP_CERTIFICATE"] = file
	env["OTEL_EXPORTER_OTLP_TIMEOUT"] = ""
	if err := exporter(t, env).Export(t.Context(), make([]otlp.Span, 1)); err != nil {
		t.Error(err)
	}
}

// TestExportThatFails: in time, with the reason, and without what is secret.
func TestExportThatFails(t *testing.T) {
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(hangs.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	refuses := newCollector(t, (*httptest.Server).Start, http.StatusUnauthorized)
	partly := newCollector(t, (*httptest.Server).Start)
	partly.say = `{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too\nold"}}`
	for name, tt := range map[string]struct{ endpoint, want string }{
		"hangs":   {hangs.URL, "not in time"},
		"gone":    {gone.URL, "connection refused|not in time"},
		"refuses": {strings.Replace(refuses.URL, "//", "//user:password@", 1), "401 Unauthorized"},
		"partly":  {partly.URL, `it refuses 3 spans: "too\nold"`},
	} {
		t.Run(name, func(t *testing.T) {
			x := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": tt.endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "700"})
			begun := time.Now()
			err := x.Export(t.Context(), make([]otlp.Span, 1))
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			one, other, _ := strings.Cut(tt.want, "|")
			if err == nil || !strings.Contains(err.Error(), one) && (other == "" || !strings.Contains(err.Error(), other)) || strings.Contains(err.Error(), "password") {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestFromEnv(t *testing.T) {
	const to = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, tt := range map[string]struct {
		env  map[string]string
		want string // of the error; "none", or "some"
	}{
		"nothing":      {map[string]string{"TRACEPARENT": "x", "OTEL_SERVICE_NAME": "x"}, "none"},
		"disabled":     {map[string]string{to: "http://c", "OTEL_SDK_DISABLED": "True"}, "none"},
		"none":         {map[string]string{to: "http://c", "OTEL_TRACES_EXPORTER": "none"}, "none"},
		"another":      {map[string]string{to: "http://c", "OTEL_TRACES_EXPORTER": "zipkin"}, "none"},
		"both":         {map[string]string{to: "http://c", "OTEL_TRACES_EXPORTER": "console,otlp"}, "some"},
		"protobuf":     {map[string]string{to: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "some"},
		"grpc":         {map[string]string{to: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "pikaci speaks http/json"},
		"grpc metrics": {map[string]string{to: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "some"},
		"no address":   {map[string]string{to: "collector:4318"}, to + " is not an http"},
		"no header":    {map[string]string{to: "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "secret"}, "is not a list"},
		"no file":      {map[string]string{to: "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nosuch"}, "/nosuch"},
	} {
		t.Run(name, func(t *testing.T) {
			x, err := otlp.FromEnv(func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok }, "v1")
			switch tt.want {
			case "none", "some":
				if err != nil || (x != nil) != (tt.want == "some") {
					t.Errorf("%v, %v", x, err)
				}
			default:
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("%v", err)
				}
			}
		})
	}
}
