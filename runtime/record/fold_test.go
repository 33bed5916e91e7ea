package record_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// bodies are the fields of an event that are journalled.
func bodies() []reflect.StructField {
	var list []reflect.StructField
	for _, f := range reflect.VisibleFields(reflect.TypeFor[event.Event]()) {
		if f.Type.Kind() == reflect.Pointer && f.Name != "Log" && f.Name != "Heartbeat" && f.Name != "Transfer" {
			list = append(list, f)
		}
	}
	return list
}

// names are few, so that events speak of the same things; some are hostile.
var names = rapid.SampledFrom([]string{"a", "b", "c", "", "<&>\u2028", "not \xff UTF-8"})

// draw fills v with anything.
func draw(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "there") {
			v.Set(reflect.New(v.Type().Elem()))
			draw(t, v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at(rapid.IntRange(0, 9).Draw(t, "time"))))
			return
		}
		for i := range v.NumField() {
			draw(t, v.Field(i))
		}
	case reflect.Slice:
		n := rapid.IntRange(-1, 2).Draw(t, "length")
		if n < 0 {
			return // nil is written as null
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			draw(t, v.Index(i))
		}
	case reflect.String:
		v.SetString(names.Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(-3, 1<<53).Draw(t, "number"))
	default:
		panic("BUG: events have a field of kind " + v.Kind().String())
	}
}

// TestFoldOfTheFileIsTheLiveFold: events.jsonl alone rebuilds run.json and
// prepared-outputs.json.
func TestFoldOfTheFileIsTheLiveFold(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		d, err := record.Create(root, record.NewID(time.Now()))
		if err != nil {
			rt.Fatal(err)
		}
		j, _ := open(t, d)
		for range rapid.IntRange(0, 40).Draw(rt, "events") {
			field := rapid.SampledFrom(bodies()[1:]).Draw(rt, "kind")
			body := reflect.New(field.Type.Elem())
			draw(rt, body.Elem())
			var e event.Event
			reflect.ValueOf(&e).Elem().FieldByIndex(field.Index).Set(body)
			if err := j.Append(e, event.Later); err != nil {
				rt.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			rt.Fatal(err)
		}
		var again record.Fold
		events, err := read(content(t, d))
		if err != nil {
			rt.Fatal(err)
		}
		for _, e := range events {
			again.Add(e)
		}
		run, outputs := j.Records()
		if got, want := decoded(t, again.Run()), decoded(t, run); got != want {
			rt.Fatalf("read back: %s\nlive: %s", got, want)
		}
		if got, want := decoded(t, again.Outputs()), decoded(t, outputs); got != want {
			rt.Fatalf("outputs read back: %s\nlive: %s", got, want)
		}
	})
}

// decoded is what a reader of the record sees: what is not UTF-8 is written as
// an escape, and as the character that it stands for when it was read back.
func decoded(t *testing.T, v any) string {
	t.Helper()
	var seen any
	if err := json.Unmarshal([]byte(asJSON(t, v)), &seen); err != nil {
		t.Fatal(err)
	}
	return asJSON(t, seen)
}

// at is the time of the nth event.
func at(n int) time.Time { return time.Date(2026, 1, 2, 3, 4, n, 0, time.UTC) }

// TestFoldSeesEveryEvent adds one event after the other: each changes the
// record, so that none is forgotten when one is added.
func TestFoldSeesEveryEvent(t *testing.T) {
	lease := event.Lease{Kind: "incus_instance", Name: "i", Node: "n", Job: "j"}
	taken := lease
	taken.UUID = "u"
	failed := event.Outcome{Verdict: event.Failed, Failure: event.Test, ExitCode: new(int)}
	all := []event.Event{
		opened(),
		{RunStarted: &event.RunStarted{PlanDigest: "d", Lanes: []string{"l"}, Jobs: []string{"j"}}},
		{Resumed: &event.Resumed{Finished: 1}},
		{PhaseStarted: &event.PhaseStarted{Phase: event.Snapshot}},
		{SnapshotTaken: &event.SnapshotTaken{Files: 1}},
		{PhaseFinished: &event.PhaseFinished{Phase: event.Snapshot, DurationMS: 2}},
		{GroupWaited: &event.GroupWaited{Lane: "l", Group: "g", Holder: "run r"}},
		{CacheWaited: &event.CacheWaited{Job: "j", Lane: "l", Holder: "job i of run r"}},
		{ResultLookedUp: &event.ResultLookedUp{Job: "j", Key: "k"}},
		{NodeStarted: &event.NodeStarted{Node: "n", Attempt: 1}},
		{LeaseIntended: &lease}, {LeaseTaken: &taken}, {LeaseReleased: &taken},
		{LeaseLeft: &event.LeaseLeft{Lease: lease, Error: "e", Command: "c"}},
		{LeaseKept: &event.LeaseKept{Lease: lease, Until: at(99)}},
		{PayloadReady: &event.PayloadReady{Node: "n"}},
		{NodeRetried: &event.NodeRetried{Node: "n", Attempt: 1, Outcome: failed}},
		{NodeFinished: &event.NodeFinished{Node: "n", Outcome: event.Outcome{Verdict: event.Passed}}},
		{Artifact: &event.Artifact{Job: "j", Path: "p"}},
		{LogTruncated: &event.LogTruncated{Job: "j", Stream: event.Stdout, Bytes: 1}},
		{Interrupted: &event.Interrupted{Reason: "SIGTERM"}},
		{JobFinished: &event.JobFinished{Job: "j", Lane: "l", Outcome: failed, DurationMS: 3}},
		{LaneFinished: &event.LaneFinished{Lane: "l", Verdict: event.Failed}},
		{RunFinished: &event.RunFinished{Verdict: event.Failed, ExitCode: 1, DurationMS: 4}},
	}
	var fold record.Fold
	seen := map[string]bool{}
	before := asJSON(t, fold.Run()) + asJSON(t, fold.Outputs())
	for n, e := range all {
		e.Seq, e.Time = int64(n+1), at(n)
		fold.Add(e)
		after := asJSON(t, fold.Run()) + asJSON(t, fold.Outputs())
		if after == before {
			t.Errorf("%s changes nothing", asJSON(t, e))
		}
		before = after
		for _, f := range bodies() {
			if !reflect.ValueOf(e).FieldByIndex(f.Index).IsNil() {
				seen[f.Name] = true
			}
		}
	}
	for _, f := range bodies() {
		if !seen[f.Name] {
			t.Errorf("no test of %s", f.Name)
		}
	}
}

func TestFoldOfPhases(t *testing.T) {
	var fold record.Fold
	n := 0
	add := func(e event.Event) { n++; e.Time = at(n); fold.Add(e) }
	start := func(p event.Phase, node, job string) {
		add(event.Event{PhaseStarted: &event.PhaseStarted{Phase: p, Node: node, Job: job}})
	}
	end := func(p event.Phase, node, job string, ms int64) {
		add(event.Event{PhaseFinished: &event.PhaseFinished{Phase: p, Node: node, Job: job, DurationMS: ms}})
	}
	start(event.Command, "", "j")
	start(event.Build, "n", "")
	start(event.Command, "", "other")
	end(event.Command, "", "j", 5)
	end(event.Command, "", "nobody", 6) // never began
	start(event.Command, "", "j")       // a second attempt, never ends
	r := fold.Run()
	j := r.Jobs[0].Phases
	if len(j) != 2 || j[0].DurationMS != 5 || !j[0].EndedAt.Equal(at(4)) || j[1].EndedAt != nil {
		t.Errorf("phases of j: %s", asJSON(t, j))
	}
	if p := r.Jobs[1].Phases; r.Jobs[1].ID != "other" || len(p) != 1 || p[0].EndedAt != nil {
		t.Errorf("other: %s", asJSON(t, r.Jobs[1]))
	}
	if p := r.Nodes[0].Phases; len(p) != 1 || p[0].Phase != event.Build {
		t.Errorf("node: %s", asJSON(t, r.Nodes))
	}
	// What was given out does not change any more.
	end(event.Command, "", "j", 7)
	end(event.Build, "n", "", 8)
	if j[1].EndedAt != nil || r.Nodes[0].Phases[0].EndedAt != nil {
		t.Error("a record changed after it was given out")
	}
}

func TestFoldOfLeases(t *testing.T) {
	var fold record.Fold
	for _, name := range []string{"b", "a", "c"} {
		fold.Add(event.Event{LeaseIntended: &event.Lease{Name: name, Job: name}})
	}
	fold.Add(event.Event{LeaseTaken: &event.Lease{Name: "a", Job: "a", UUID: "u"}})
	fold.Add(event.Event{LeaseReleased: &event.Lease{Name: "b"}})
	fold.Add(event.Event{LeaseLeft: &event.LeaseLeft{Lease: event.Lease{Name: "c"}, Error: "e"}})
	r := fold.Run()
	if len(r.Leases) != 2 || r.Leases[0].UUID != "u" || r.Leases[1].Name != "c" || len(r.Left) != 1 {
		t.Errorf("%s", asJSON(t, r))
	}
}

// TestFoldOfAKilledRun: it is readable, and seen not to have ended.
func TestFoldOfAKilledRun(t *testing.T) {
	var fold record.Fold
	if r := fold.Run(); r.SchemaVersion != record.RunSchemaVersion || r.Jobs == nil || r.Leases == nil || r.Left == nil {
		t.Errorf("of nothing: %s", asJSON(t, r))
	}
	fold.Add(event.Event{Time: at(0), JournalOpened: opened().JournalOpened})
	fold.Add(event.Event{RunStarted: &event.RunStarted{Lanes: []string{"l"}, Jobs: []string{"j2", "j1"}}})
	r := fold.Run()
	if r.FinishedAt != nil || r.ExitCode != nil || r.Verdict != "" || r.Lanes[0].Verdict != "" ||
		len(r.Jobs) != 2 || r.Jobs[0].ID != "j2" || r.Jobs[0].Verdict != "" {
		t.Errorf("%s", asJSON(t, r))
	}
}
