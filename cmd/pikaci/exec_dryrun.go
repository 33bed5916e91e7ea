package main

import (
	"encoding/json"
	"path/filepath"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/record"
)

// wouldDo is what a dry run prints: every command and request that a run would
// make, node by node in the plan's order. The run's id is not known before it
// starts; unless --run-id gives one, dry-run stands for it.
type wouldDo struct {
	RunDir string `json:"run_dir"`
	// Preflight is asked of Incus before anything is made.
	Preflight []incus.Request `json:"preflight,omitempty"`
	Nodes     []wouldDoNode   `json:"nodes"`
}

type wouldDoNode struct {
	Node string `json:"node"`
	// Command runs on the host.
	Command []string `json:"command,omitempty"`
	// Dir is where it runs.
	Dir string `json:"dir,omitempty"`
	// Requests are made to Incus, in order.
	Requests []incus.Request `json:"requests,omitempty"`
}

// dryRun prints what would be done and does none of it.
func (x *execution) dryRun(s *session) error {
	id := x.flags.runID
	if id == "" {
		id = "dry-run"
	}
	run := runtime.NewRunContext(x.stateRoot, id, x.source)
	builds := nix.New(nix.Options{Settings: x.runner.Nix.Settings})
	would := wouldDo{RunDir: run.Dir, Nodes: []wouldDoNode{}}
	jobs := runtime.Contexts(x.plan, &run, x.flags.job, x.secrets, x.limits)
	var guests []*runtime.JobContext
	for _, j := range x.plan.Jobs {
		if c := jobs[j.ID]; c != nil && !j.Host() {
			guests = append(guests, c)
		}
	}
	o := x.incusOptions()
	var err error
	if o.Root, err = record.RootID(x.stateRoot, false); err != nil {
		return err
	}
	if o.Root == "" {
		o.Root = "(the first run gives the state root an id)"
	}
	if len(guests) > 0 {
		would.Preflight = incus.PreflightRequests(o, guests)
	}
	for i := range x.plan.Nodes {
		n := &x.plan.Nodes[i]
		var of []*runtime.JobContext
		for _, id := range n.Jobs {
			if jobs[id] != nil {
				of = append(of, jobs[id])
			}
		}
		if len(of) == 0 {
			continue
		}
		node := wouldDoNode{Node: n.ID}
		switch {
		case n.NixBuild != nil:
			node.Command, node.Dir = builds.Command(n), run.Dir
		case n.HostCommand != nil:
			node.Command, node.Dir = n.HostCommand.Command, filepath.Join(of[0].Dir, "scratch", "workspace", of[0].Job.WorkingDir)
		case n.IncusInstance != nil:
			node.Requests = incus.CreateRequests(o, of[0])
		case n.GuestCommand != nil:
			node.Requests = incus.RunRequests(o, of[0], n.GuestCommand.Command)
		}
		would.Nodes = append(would.Nodes, node)
	}
	e := json.NewEncoder(s.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(would)
}
