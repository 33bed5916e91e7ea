package compiler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/sledtools/pikaci/schema/plan"
)

// RunPlanV1 is what the older format says of a run and a plan does not.
type RunPlanV1 struct {
	// RunDir is the run's directory, written in front of every path.
	RunDir string
	// RunID is like 20260326T013040Z-9247c703.
	RunID string
	// CreatedAt is a time as RFC 3339 writes it.
	CreatedAt string
}

// ErrNotOneLane means that a plan of several lanes, or of none, was to be
// written in the older format.
var ErrNotOneLane = errors.New("run-plan-v1 holds exactly one lane")

// The types below are the older format, schema version 1. Dashboards compare
// it byte for byte: the order of fields is the order of its keys.

type v1Plan struct {
	SchemaVersion     int      `json:"schema_version"`
	RunID             string   `json:"run_id"`
	TargetID          string   `json:"target_id"`
	TargetDescription string   `json:"target_description"`
	CreatedAt         string   `json:"created_at"`
	Scope             string   `json:"scope"`
	Preconditions     []string `json:"preconditions"`
	Nodes             []any    `json:"nodes"`
}

type v1Node struct {
	Kind        string   `json:"kind"`
	ID          string   `json:"id"`
	Description string   `json:"description"`
	Executor    string   `json:"executor"`
	DependsOn   []string `json:"depends_on"`
}

type v1Prepare struct {
	v1Node
	Prepare any `json:"prepare"`
}

type v1Execute struct {
	v1Node
	Execute any `json:"execute"`
}

type v1NixBuild struct {
	Type        string    `json:"type"`
	Installable string    `json:"installable"`
	OutputName  string    `json:"output_name"`
	Residency   string    `json:"residency"`
	Handoff     v1Handoff `json:"handoff"`
}

type v1Handoff struct {
	Protocol  string       `json:"protocol"`
	Exposures []v1Exposure `json:"exposures"`
}

type v1Exposure struct {
	Kind   string `json:"kind"`
	Path   string `json:"path"`
	Access string `json:"access"`
}

type v1Backend struct {
	Type    string `json:"type"`
	Backend string `json:"backend"`
}

type v1VMCommand struct {
	Type              string `json:"type"`
	Command           string `json:"command"`
	RunAsRoot         bool   `json:"run_as_root"`
	TimeoutSecs       int    `json:"timeout_secs"`
	WritableWorkspace bool   `json:"writable_workspace"`
}

type v1HostCommand struct {
	Type              string `json:"type"`
	Command           string `json:"command"`
	TimeoutSecs       int    `json:"timeout_secs"`
	WritableWorkspace bool   `json:"writable_workspace"`
}

const (
	v1OnHost  = "host_local"
	v1InGuest = "remote_linux_vm"
)

// WriteRunPlanV1 writes the older plan format, schema version 1, of a plan in
// which exactly one lane is chosen; ErrNotOneLane of another. There is no
// final newline.
func WriteRunPlanV1(p *plan.Plan, o RunPlanV1) ([]byte, error) {
	var lane *plan.Lane
	for i := range p.Lanes {
		if !p.Lanes[i].Chosen {
			continue
		}
		if lane != nil {
			return nil, fmt.Errorf("%w, and %s and %s are chosen", ErrNotOneLane, lane.ID, p.Lanes[i].ID)
		}
		lane = &p.Lanes[i]
	}
	if lane == nil {
		return nil, fmt.Errorf("%w, and none is chosen", ErrNotOneLane)
	}
	target := lane.TargetID
	if target == "" {
		target = lane.ID
	}
	w := v1Writer{plan: p, options: o}
	return encodeV1(&v1Plan{
		SchemaVersion:     1,
		RunID:             o.RunID,
		TargetID:          target,
		TargetDescription: lane.Description,
		CreatedAt:         o.CreatedAt,
		Scope:             "post_host_setup_and_snapshot",
		Preconditions:     []string{"host_setup_complete", "workspace_snapshot_created"},
		Nodes:             w.nodes(),
	})
}

// encodeV1 writes JSON as the older tool does: two spaces, no final newline,
// nothing escaped that JSON does not demand.
func encodeV1(p *v1Plan) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("encode run-plan-v1: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

type v1Writer struct {
	plan    *plan.Plan
	options RunPlanV1
}

// nodes lists prepare nodes in order of creation, then execute nodes in job
// order.
func (w *v1Writer) nodes() []any {
	out := []any{}
	execute := map[string]*plan.Node{}
	for i := range w.plan.Nodes {
		n := &w.plan.Nodes[i]
		if n.Prepares() {
			out = append(out, w.prepare(n))
			continue
		}
		execute[n.ID] = n
	}
	for i := range w.plan.Jobs {
		j := &w.plan.Jobs[i]
		out = append(out, w.execute(j, execute[plan.ExecuteID(j.ID)]))
	}
	return out
}

func (w *v1Writer) prepare(n *plan.Node) v1Prepare {
	node := v1Node{Kind: "prepare", ID: n.ID, Description: n.Description, Executor: v1OnHost, DependsOn: n.DependsOn}
	if n.IncusInstance != nil {
		node.Description = "Prepare remote Linux VM backend for `" + n.IncusInstance.Job + "`"
		return v1Prepare{node, v1Backend{Type: "remote_linux_vm_backend", Backend: "incus"}}
	}
	_, attribute, _ := strings.Cut(n.NixBuild.Installable, "#")
	return v1Prepare{node, v1NixBuild{
		Type:        "nix_build",
		Installable: "path:" + w.inRun("snapshot") + "#" + attribute,
		OutputName:  n.NixBuild.OutputName,
		Residency:   "remote_authoritative_staged_linux",
		Handoff:     v1Handoff{Protocol: "nix_store_path_v1", Exposures: w.exposures(n)},
	}}
}

// exposures are one for each job that uses the node, in job order.
func (w *v1Writer) exposures(n *plan.Node) []v1Exposure {
	out := []v1Exposure{}
	for i := range w.plan.Jobs {
		j := &w.plan.Jobs[i]
		for _, s := range j.StagedPayloads {
			if s.PrepareNodeID == n.ID && slices.Contains(n.Jobs, j.ID) {
				out = append(out, v1Exposure{Kind: "host_symlink_mount", Path: w.inRun(s.LocalMountPath), Access: "read_only"})
			}
		}
	}
	return out
}

func (w *v1Writer) execute(j *plan.Job, n *plan.Node) v1Execute {
	node := v1Node{Kind: "execute", ID: n.ID, Description: n.Description, Executor: v1InGuest, DependsOn: n.DependsOn}
	command := shellJoin(n.Command())
	if j.Host() {
		node.Executor = v1OnHost
		return v1Execute{node, v1HostCommand{"host_command", command, j.TimeoutSecs, j.WritableWorkspace}}
	}
	return v1Execute{node, v1VMCommand{"vm_command", command, j.User == 0, j.TimeoutSecs, j.WritableWorkspace}}
}

// inRun puts the run's directory in front, as it was given: the older tool
// does not clean it either.
func (w *v1Writer) inRun(rel string) string {
	return strings.TrimSuffix(w.options.RunDir, "/") + "/" + rel
}

// plainWord is what a shell takes as it is.
var plainWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)
})

// shellJoin writes an argv as one line of shell.
func shellJoin(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		if !plainWord().MatchString(word) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words[i] = word
	}
	return strings.Join(words, " ")
}
