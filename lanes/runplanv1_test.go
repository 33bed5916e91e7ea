package lanes

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/sledtools/pikaci/compiler"
)

var v1 = compiler.RunPlanV1{
	RunDir:    "/home/ci/pika/.pikaci/runs/20260326T013040Z-9247c703",
	RunID:     "20260326T013040Z-9247c703",
	CreatedAt: "2026-03-26T01:30:40.123456789Z",
}

// TestRunPlanV1 compares every target in the older format with a golden file,
// and its content with what the facts say, put together here by hand.
func TestRunPlanV1(t *testing.T) {
	f, c := readFacts(t), load(t)
	for _, l := range f.Lanes {
		t.Run(l.TargetID, func(t *testing.T) {
			b, err := compiler.WriteRunPlanV1(compile(t, c, compiler.Select{Lanes: []string{l.TargetID}}), v1)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "run-plan-v1", l.TargetID+".json"), b)
			compareV1(t, b, expectedV1(f, l))
		})
	}
}

// compareV1 compares the two as JSON, descriptions of targets and execute
// nodes left out: those are free text.
func compareV1(t *testing.T, got []byte, want map[string]any) {
	t.Helper()
	var g map[string]any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatal(err)
	}
	if g["target_description"] == "" {
		t.Error("no target_description")
	}
	delete(g, "target_description")
	for _, n := range g["nodes"].([]any) {
		if n := n.(map[string]any); n["kind"] == "execute" {
			if n["description"] == "" {
				t.Errorf("node %v has no description", n["id"])
			}
			delete(n, "description")
		}
	}
	// Through JSON, so that numbers are of one kind.
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var w map[string]any
	if err := json.Unmarshal(b, &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		gb, _ := json.MarshalIndent(g, "", "  ")
		wb, _ := json.MarshalIndent(w, "", "  ")
		t.Errorf("got %s\nwant %s", gb, wb)
	}
}

type object = map[string]any

func expectedV1(f *facts, l factLane) object {
	var prepare, execute []any
	var payloads []string
	before := []string{}
	for _, r := range f.Roles {
		id := "prepare-" + l.SharedPrepareNodePrefix + "-" + r.PrepareNodeSuffix
		var exposures []any
		for _, j := range l.Jobs {
			exposures = append(exposures, object{"kind": "host_symlink_mount", "access": "read_only",
				"path": v1.RunDir + "/jobs/" + j.ID + "/staged-linux-rust/" + r.MountDirName})
		}
		prepare = append(prepare, object{
			"kind": "prepare", "id": id, "executor": "host_local", "depends_on": before,
			"description": r.PrepareDescription + " for " + l.SharedPrepareDescription,
			"prepare": object{
				"type": "nix_build", "output_name": l.Payloads[r.Role],
				"installable": "path:" + v1.RunDir + "/snapshot#" + l.Payloads[r.Role],
				"residency":   "remote_authoritative_staged_linux",
				"handoff":     object{"protocol": "nix_store_path_v1", "exposures": exposures},
			},
		})
		before = []string{id}
		payloads = append(payloads, id)
	}
	for _, j := range l.Jobs {
		runner := "prepare-" + j.ID + "-runner"
		prepare = append(prepare, object{
			"kind": "prepare", "id": runner, "executor": "host_local", "depends_on": []string{},
			"description": "Prepare remote Linux VM backend for `" + j.ID + "`",
			"prepare":     object{"type": "remote_linux_vm_backend", "backend": "incus"},
		})
		execute = append(execute, object{
			"kind": "execute", "id": "execute-" + j.ID, "executor": "remote_linux_vm",
			"depends_on": append(append([]string{}, payloads...), runner),
			"execute": object{"type": "vm_command", "command": j.Command, "run_as_root": j.RunAsRoot,
				"timeout_secs": j.TimeoutSecs, "writable_workspace": j.WritableWorkspace},
		})
	}
	return object{
		"schema_version": 1, "run_id": v1.RunID, "target_id": l.TargetID, "created_at": v1.CreatedAt,
		"scope":         "post_host_setup_and_snapshot",
		"preconditions": []string{"host_setup_complete", "workspace_snapshot_created"},
		"nodes":         append(prepare, execute...),
	}
}

// TestRunPlanV1Host writes a lane of the host: no prepare nodes, no target.
func TestRunPlanV1Host(t *testing.T) {
	b, err := compiler.WriteRunPlanV1(compile(t, load(t), compiler.Select{Lanes: []string{"nightly_linux"}}), v1)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "run-plan-v1", "nightly_linux.json"), b)
	if bytes.HasSuffix(b, []byte("\n")) {
		t.Error("a final newline")
	}
}
