package result_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/result"
	"github.com/sledtools/pikaci/schema/plan"
)

// house is a state root with a store, and a job to look up.
type house struct {
	*testing.T
	root    string
	job     plan.Job
	command []string
	hash    string
	place   []event.Part
	outputs map[string]string
	limits  runtime.Limits
	views   views
}

func newHouse(t *testing.T) *house {
	return &house{T: t, root: t.TempDir(), command: []string{"make", "test"}, hash: "sha256:aa",
		job: plan.Job{ID: "j", Lane: "l", TimeoutSecs: 60, User: 1000, WorkingDir: "/w", Env: map[string]string{"A": "b"},
			Artifacts: []string{"*"}, Cache: true, Incus: &plan.Incus{Image: "dev"},
			StagedPayloads: []plan.StagedPreparedPayload{{Role: "deps", Installable: "path:snapshot#deps", LocalMountPath: "jobs/j/deps", GuestMountPath: "/deps"}}},
		place:   []event.Part{{Name: "image", Value: "f1"}, {Name: "network", Value: "none"}},
		outputs: map[string]string{"path:snapshot#deps": "/nix/store/one"},
		limits:  runtime.Limits{ArtifactBytes: 100, ArtifactFiles: 10}}
}

func (h *house) Parts(context.Context, *runtime.JobContext) ([]event.Part, error) {
	if h.place == nil {
		return nil, errors.New("no answer")
	}
	return h.place, nil
}

func (h *house) Known(_ *runtime.RunContext, installable string) (string, bool) {
	o, ok := h.outputs[installable]
	return o, ok
}

// context is that of the job in a run.
func (h *house) context(run string) *runtime.JobContext {
	r := runtime.NewRunContext(h.root, run, "/source")
	r.SnapshotHash, r.Views = h.hash, h.views
	return &runtime.JobContext{RunContext: &r, Job: &h.job, Lane: &plan.Lane{ID: "l"}, Limits: h.limits,
		Dir: filepath.Join(r.Dir, "jobs", h.job.ID)}
}

// find looks the job up as a new process would.
func (h *house) find() (event.ResultLookedUp, bool) {
	h.Helper()
	s := &result.Store{StateRoot: h.root, Builds: h, Guests: h, Hosts: h}
	return s.Find(h.Context(), h.context("now"), h.command)
}

// pass records a run of that id in which the job passed, changed by f, and keeps
// it.
func (h *house) pass(id string, f func(*record.Run)) {
	h.Helper()
	l, known := h.find()
	if !known {
		h.Fatal("not known")
	}
	d, err := record.Create(h.root, id)
	if err != nil {
		h.Fatal(err)
	}
	content := []byte("report")
	sum := sha256.Sum256(content)
	r := record.Run{SchemaVersion: record.RunSchemaVersion, ID: id,
		Jobs: []record.JobRecord{{ID: "j", Lane: "l", Outcome: event.Outcome{Verdict: event.Passed}, DurationMS: 1000, Result: &l,
			Artifacts: []event.Artifact{{Job: "j", Path: "out/report", Bytes: 6, SHA256: hex.EncodeToString(sum[:])}}}},
		Nodes: []record.NodeRecord{{ID: "execute-j", Attempts: 1, Outcome: event.Outcome{Verdict: event.Passed}}}}
	if f != nil {
		f(&r)
	}
	at := filepath.Join(d.Path, "jobs/j/artifacts/out")
	err = errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(filepath.Join(at, "report"), content, 0o644),
		d.WriteJSON("run.json", r), result.Keep(h.root, &r))
	if err != nil {
		h.Fatal(err)
	}
}

func TestAPassIsFound(t *testing.T) {
	h := newHouse(t)
	if l, known := h.find(); !known || l.Found || l.Reason != "no earlier pass is known" || l.Run != "" {
		t.Fatalf("of an empty state root: %+v, known %v", l, known)
	}
	h.pass("first", nil)
	l, known := h.find()
	if !known || !l.Found || l.Run != "first" || l.Reason != "" || len(l.Differs) > 0 {
		t.Fatalf("%+v, known %v", l, known)
	}
	if l.Key != result.Key(l.Parts) {
		t.Errorf("key %s is not that of the parts", l.Key)
	}
}

// Each thing that a result hangs on changes the key, and is named.
func TestWhatDiffersIsNamed(t *testing.T) {
	changes := map[string]func(h *house){
		"command":            func(h *house) { h.command = []string{"make", "all"} },
		"env":                func(h *house) { h.job.Env = map[string]string{"A": "c"} },
		"user":               func(h *house) { h.job.User = 0 },
		"working_dir":        func(h *house) { h.job.WorkingDir = "/other" },
		"writable_workspace": func(h *house) { h.job.WritableWorkspace = true },
		"artifacts":          func(h *house) { h.job.Artifacts = []string{"**"} },
		"snapshot":           func(h *house) { h.hash = "sha256:bb" },
		"image":              func(h *house) { h.place = []event.Part{{Name: "image", Value: "f2"}, h.place[1]} },
		"payload deps":       func(h *house) { h.outputs = map[string]string{"path:snapshot#deps": "/nix/store/two"} },
		"payload extra": func(h *house) {
			h.job.StagedPayloads = append(slices.Clone(h.job.StagedPayloads), plan.StagedPreparedPayload{Role: "extra", Installable: "path:snapshot#deps"})
		},
		"network": func(h *house) { h.place = h.place[:1] },
	}
	keys := map[string]string{}
	for part, change := range changes {
		h := newHouse(t)
		h.pass("first", nil)
		change(h)
		l, _ := h.find()
		if l.Found || l.Run != "first" || !slices.Equal(l.Differs, []string{part}) {
			t.Errorf("%s: %+v", part, l)
		}
		if other, taken := keys[l.Key]; taken {
			t.Errorf("%s and %s have one key", part, other)
		}
		keys[l.Key] = part
	}
	h := newHouse(t)
	h.pass("first", nil)
	h.job.TimeoutSecs, h.job.Retries, h.job.Description = 30, 3, "other words"
	if l, _ := h.find(); !l.Found {
		t.Errorf("what changes nothing: %+v", l)
	}
}

// views is a part of the snapshot that has one hash, whatever its globs.
type views string

func (v views) Hash(context.Context, []string) (string, error) { return string(v), nil }
func (v views) Make(context.Context, []string, string) error   { return errors.New("not asked for") }

// Of a job that says what it reads, that is a part, and the rest of the snapshot
// is none.
func TestWhatAJobReadsIsAPart(t *testing.T) {
	h := newHouse(t)
	h.job.Reads, h.views = []string{"src/**"}, "sha256:11"
	h.pass("first", nil)
	h.hash = "sha256:bb"
	if l, _ := h.find(); !l.Found {
		t.Errorf("another snapshot, the same files: %+v", l)
	}
	h.views = "sha256:22"
	if l, _ := h.find(); l.Found || !slices.Equal(l.Differs, []string{event.PartReads}) {
		t.Errorf("other files: %+v", l)
	}
	h.job.Reads = nil
	if l, _ := h.find(); l.Found || !slices.Equal(l.Differs, []string{"snapshot", event.PartReads}) {
		t.Errorf("a job that reads all: %+v", l)
	}
}

func TestPayloadsThatAreNotBuilt(t *testing.T) {
	h := newHouse(t)
	h.outputs = nil
	if l, known := h.find(); known || l.Found {
		t.Fatalf("%+v", l)
	}
	// Once its link is there, it is known.
	link := filepath.Join(h.root, "runs/now/jobs/j/deps")
	if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink("/nix/store/one", link)); err != nil {
		t.Fatal(err)
	}
	if l, known := h.find(); !known || !slices.Contains(l.Parts, event.Part{Name: "payload deps", Value: "/nix/store/one at /deps"}) {
		t.Fatalf("%+v, known %v", l, known)
	}
}

// What may not stand in is not kept, and where it was kept all the same it is
// not found.
func TestOnlyAWholePassStandsIn(t *testing.T) {
	for name, change := range map[string]func(r *record.Run){
		"failed":            func(r *record.Run) { r.Jobs[0].Verdict, r.Jobs[0].Failure = event.Failed, event.Test },
		"timeout":           func(r *record.Run) { r.Jobs[0].Verdict, r.Jobs[0].Failure = event.Failed, event.Timeout },
		"cancelled":         func(r *record.Run) { r.Jobs[0].Verdict = event.Cancelled },
		"cached":            func(r *record.Run) { r.Jobs[0].Verdict = event.Cached },
		"without a verdict": func(r *record.Run) { r.Jobs[0].Verdict = "" },
		"flaky":             func(r *record.Run) { r.Nodes[0].Attempts = 2 },
		"retried":           func(r *record.Run) { r.Nodes[0].Retried = []event.Outcome{{}} },
		"not looked up":     func(r *record.Run) { r.Jobs[0].Result = nil },
		"refused":           func(r *record.Run) { r.Jobs[0].Result = &event.ResultLookedUp{Reason: "--no-cache"} },
		"artifact refused":  func(r *record.Run) { r.Jobs[0].Artifacts[0].Refused = "too large" },
		"no such node":      func(r *record.Run) { r.Nodes = nil },
	} {
		h := newHouse(t)
		h.pass("first", change)
		if names, _ := filepath.Glob(filepath.Join(result.Dir(h.root), "*.json")); len(names) > 0 {
			t.Errorf("%s: kept as %v", name, names)
		}
		good := newHouse(t)
		good.pass("first", nil)
		pointer, err := os.ReadFile(keyFile(good))
		if err != nil {
			t.Fatal(err)
		}
		plant(h, pointer)
		if l, _ := h.find(); l.Found || l.Reason == "" {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// keyFile is where the pass of the house's job is kept.
func keyFile(h *house) string {
	l, _ := h.find()
	return filepath.Join(result.Dir(h.root), l.Key+".json")
}

func plant(h *house, b []byte) {
	h.Helper()
	name := keyFile(h)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, b, 0o644)); err != nil {
		h.Fatal(err)
	}
}

func TestWhatIsDamagedIsNoPass(t *testing.T) {
	pointer := func(run, job string) []byte {
		b, _ := json.Marshal(map[string]any{"schema_version": 1, "run": run, "job": job})
		return b
	}
	other := func(h *house) { // a pass of another key
		h.hash = "sha256:bb"
		h.pass("other", nil)
		h.hash = "sha256:aa"
	}
	for name, spoil := range map[string]func(h *house){
		"empty":           func(h *house) { plant(h, nil) },
		"no JSON":         func(h *house) { plant(h, []byte("{")) },
		"another version": func(h *house) { plant(h, []byte(`{"schema_version":2,"run":"first","job":"j"}`)) },
		"more fields":     func(h *house) { plant(h, []byte(`{"schema_version":1,"run":"first","job":"j","verdict":"passed"}`)) },
		"too large":       func(h *house) { plant(h, append(pointer("first", "j"), make([]byte, 1<<20)...)) },
		"out of the root": func(h *house) { plant(h, pointer("../first", "j")) },
		"no such run":     func(h *house) { plant(h, pointer("second", "j")) },
		"no such job":     func(h *house) { plant(h, pointer("first", "k")) },
		"another key":     func(h *house) { other(h); plant(h, pointer("other", "j")) },
		"a folder":        func(h *house) { os.Remove(keyFile(h)); os.MkdirAll(keyFile(h), 0o755) },
		"run.json torn":   func(h *house) { os.Truncate(filepath.Join(h.root, "runs/first/run.json"), 100) },
		"run.json empty":  func(h *house) { os.Truncate(filepath.Join(h.root, "runs/first/run.json"), 0) },
		"run gone":        func(h *house) { os.RemoveAll(filepath.Join(h.root, "runs/first")) },
		"artifact gone":   func(h *house) { os.RemoveAll(filepath.Join(h.root, "runs/first/jobs/j/artifacts/out/report")) },
		"artifacts gone":  func(h *house) { os.RemoveAll(filepath.Join(h.root, "runs/first/jobs/j/artifacts")) },
		"artifact edited": func(h *house) {
			os.WriteFile(filepath.Join(h.root, "runs/first/jobs/j/artifacts/out/report"), []byte("edited"), 0o644)
		},
		"artifact longer": func(h *house) {
			os.WriteFile(filepath.Join(h.root, "runs/first/jobs/j/artifacts/out/report"), []byte("report and more"), 0o644)
		},
		"artifact a link out": func(h *house) {
			at := filepath.Join(h.root, "runs/first/jobs/j/artifacts/out/report")
			os.Remove(at)
			outside := filepath.Join(h.TempDir(), "outside")
			os.WriteFile(outside, []byte("report"), 0o644)
			os.Symlink(outside, at)
		},
		"ceiling lowered":  func(h *house) { h.limits.ArtifactBytes = 5 },
		"time limit lower": func(h *house) { h.job.TimeoutSecs = 1 },
	} {
		h := newHouse(t)
		h.pass("first", nil)
		if l, _ := h.find(); !l.Found {
			t.Fatalf("%s: not found before", name)
		}
		spoil(h)
		l, known := h.find()
		if l.Found || !known || l.Reason == "" || l.Key == "" {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func TestAServerThatDoesNotAnswer(t *testing.T) {
	h := newHouse(t)
	h.pass("first", nil)
	h.place = nil
	if l, known := h.find(); !known || l.Found || l.Key != "" || !strings.Contains(l.Reason, "no answer") {
		t.Errorf("%+v, known %v", l, known)
	}
}

func TestTakeGivesTheArtifacts(t *testing.T) {
	h := newHouse(t)
	h.pass("first", nil)
	s := &result.Store{StateRoot: h.root, Builds: h, Guests: h, Hosts: h}
	j := h.context("now")
	l, _ := s.Find(t.Context(), j, h.command)
	l.Job = "j"
	var told []event.Artifact
	task := runtime.Task{Attempt: 1, Run: j.RunContext, Jobs: []*runtime.JobContext{j}, Emit: func(e event.Event) error {
		if e.Artifact != nil {
			told = append(told, *e.Artifact)
		}
		return nil
	}}
	if err := s.Take(t.Context(), task, l); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(j.ArtifactsDir(), "out/report")
	if b, err := os.ReadFile(own); err != nil || string(b) != "report" || len(told) != 1 || told[0].Path != "out/report" {
		t.Fatalf("%q, %v, told %+v", b, err, told)
	}
	// It is a copy: who changes it changes nothing of the pass.
	if err := os.WriteFile(own, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, _ := h.find(); !again.Found {
		t.Errorf("%+v", again)
	}
	// What was changed since it was found is not taken.
	os.WriteFile(filepath.Join(h.root, "runs/first/jobs/j/artifacts/out/report"), []byte("edited"), 0o644)
	task.Attempt = 2
	if err := s.Take(t.Context(), task, l); err == nil {
		t.Error("an artifact that was edited is taken")
	}
}
