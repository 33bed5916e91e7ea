package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/otlp"
)

// hostPlan writes lane files with a host job that tells its TRACEPARENT, and
// one that fails, and compiles them. It gives what calls pikaci there.
func hostPlan(t *testing.T) func(env []string, args ...string) (code int, out string) {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { checkRecords(t, dir) })
	for name, text := range map[string]string{
		"src/lanes/lanes.cue": "package lanes\n\nimport \"github.com/sledtools/pikaci/schema\"\n\nlanes: schema.#Lanes\n",
		"src/lanes/a.cue": `package lanes

lanes: a: {
	title: "a", description: "A."
	jobs: {
		tells: {description: "Tells.", command: ["sh", "-c", "echo parent $TRACEPARENT $TRACESTATE"], host: true}
		own: {description: "Has its own.", command: ["sh", "-c", "echo own $TRACEPARENT"], env: TRACEPARENT: "mine", host: true}
		fails: {description: "Fails.", command: ["false"], host: true}
	}
}
`} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	call := func(env []string, args ...string) (int, string) {
		t.Helper()
		cmd := exec.Command(os.Args[0], args...)
		cmd.Args[0] = "pikaci" // by which the test's binary is pikaci
		cmd.Dir = filepath.Join(dir, "src")
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=atexit_sleep_ms=0"}, env...)
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, out := call(nil, "compile", "-o", "plan.json"); code != 0 {
		t.Fatal(out)
	}
	return call
}

// sentSpan is a span as a collector gets it.
type sentSpan struct {
	TraceID      string `json:"traceId"`
	SpanID       string `json:"spanId"`
	ParentSpanID string `json:"parentSpanId"`
	Name         string `json:"name"`
}

func decodeSpans(t *testing.T, b []byte) []sentSpan {
	t.Helper()
	var got struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []sentSpan `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return got.ResourceSpans[0].ScopeSpans[0].Spans
}

const (
	outerTrace = "0af7651916cd43dd8448eb211c80319c"
	outer      = "00-" + outerTrace + "-b7ad6b7169203331-01"
)

// TestSpansAreSent: a collector gets the run's spans in the trace of whoever
// started it, and each job is told of its own.
func TestSpansAreSent(t *testing.T) {
	var mu sync.Mutex
	var bodies [][]byte
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, b)
	}))
	defer collector.Close()
	// taken are the bodies that came since it was last asked.
	taken := func() [][]byte {
		mu.Lock()
		defer mu.Unlock()
		got := bodies
		bodies = nil
		return got
	}
	call := hostPlan(t)
	to := "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL
	code, out := call([]string{to, "TRACEPARENT=" + outer, "TRACESTATE=a=b"}, "exec", "plan.json", "--run-id", "one")
	sent := taken()
	if code != 1 || len(sent) != 1 {
		t.Fatalf("exit code %d, %d requests:\n%s", code, len(sent), out)
	}
	byName := map[string]sentSpan{}
	for _, s := range decodeSpans(t, sent[0]) {
		byName[s.Name] = s
		if s.TraceID != outerTrace {
			t.Errorf("%s is of another trace", s.Name)
		}
	}
	run, lane, job := byName["RUN a"], byName["lane a"], byName["tells"]
	if run.ParentSpanID != "b7ad6b7169203331" || lane.ParentSpanID != run.SpanID || job.ParentSpanID != lane.SpanID {
		t.Errorf("run %+v, lane %+v, job %+v", run, lane, job)
	}
	told := otlp.Context{TraceID: outerTrace, SpanID: job.SpanID, Sampled: true}.String()
	if !strings.Contains(out, "parent "+told+" a=b\n") || !strings.Contains(out, "own mine\n") {
		t.Errorf("job tells is %s, and the commands were told:\n%s", told, out)
	}
	// What is shown of the record is what was sent.
	_, shown := call(nil, "status", "one", "--as", "otlp")
	if again := decodeSpans(t, []byte(shown)); again[0] != run {
		t.Errorf("shown %+v, sent %+v", again[0], run)
	}

	for name, tt := range map[string]struct {
		env    []string
		told   string
		bodies int
	}{
		"nobody asks":       {[]string{"TRACEPARENT=" + outer}, " " + outer, 0},
		"disabled":          {[]string{to, "OTEL_SDK_DISABLED=true", "TRACEPARENT=" + outer}, " " + outer, 0},
		"not to be kept":    {[]string{to, "TRACEPARENT=" + strings.TrimSuffix(outer, "1") + "0"}, " " + strings.TrimSuffix(outer, "1") + "0", 0},
		"nothing at all":    {nil, "\n", 0},
		"no parent":         {[]string{to, "TRACEPARENT=nonsense"}, " 00-", 1},
		"can't be followed": {[]string{to, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "\n", 0},
	} {
		code, out := call(tt.env, "exec", "plan.json", "--job", "tells")
		requests := len(taken())
		if code != 0 || requests != tt.bodies || !strings.Contains(out, "tells │ parent"+tt.told) {
			t.Errorf("%s: exit code %d, %d requests:\n%s", name, code, requests, out)
		}
		if noted := strings.Contains(out, "pikaci: no spans are sent: OTEL_EXPORTER_OTLP_PROTOCOL"); noted != (name == "can't be followed") {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}

// TestACollectorChangesNoVerdict: whether it is down or never answers, the
// verdict is the same, said before anybody waits, and the end soon.
func TestACollectorChangesNoVerdict(t *testing.T) {
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer hangs.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	call := hostPlan(t)
	for name, to := range map[string]string{"hangs": hangs.URL, "is down": gone.URL} {
		begun := time.Now()
		code, out := call([]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + to}, "exec", "plan.json")
		if took := time.Since(begun); code != 1 || took > otlp.MaxDelay+10*time.Second {
			t.Errorf("one that %s: exit code %d after %s", name, code, took)
		}
		verdict, told := strings.Index(out, ": failed in "), strings.Index(out, "pikaci: send spans to "+to)
		if verdict < 0 || told < verdict {
			t.Errorf("one that %s:\n%s", name, out)
		}
	}
}
