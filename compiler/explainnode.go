package compiler

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/sledtools/pikaci/schema/plan"
)

// node explains a node by the fields that it is made from.
func (x *explainer) node(p *plan.Plan, n *plan.Node) (*Explanation, error) {
	b, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	out := &Explanation{Path: n.ID, Value: b, Says: []Say{}}
	for _, path := range x.madeFrom(p, n) {
		part, err := x.field(path, false)
		if err != nil {
			return nil, err
		}
		if len(part.Value) > 0 {
			out.Parts = append(out.Parts, *part)
		}
	}
	return out, nil
}

// madeFrom are the paths of the fields that a node comes from: of a shared one
// those of each lane.
func (x *explainer) madeFrom(p *plan.Plan, n *plan.Node) [][]string {
	var out [][]string
	add := func(path ...string) {
		if !slices.ContainsFunc(out, func(have []string) bool { return slices.Equal(have, path) }) {
			out = append(out, path)
		}
	}
	for _, id := range n.Jobs {
		lane := x.lane(id)
		switch {
		case n.NixBuild != nil:
			x.payloadFrom(p, n, id, lane, add)
		case n.IncusInstance != nil:
			for _, field := range knownFields(x.want([]string{"lanes", lane, "incus"})).names {
				add("lanes", lane, "incus", field)
			}
		default:
			for _, field := range []string{"description", "command", "host", "needs", "finally"} {
				if path := []string{"lanes", lane, "jobs", id, field}; field == "description" || field == "command" || x.lookup(path).Exists() {
					add(path...)
				}
			}
			add("lanes", lane, "payloads")
		}
	}
	return out
}

// payloadFrom adds what a build comes from: the output and prefix of the lane,
// and the role's words.
func (x *explainer) payloadFrom(p *plan.Plan, n *plan.Node, job, lane string, add func(...string)) {
	i := slices.IndexFunc(p.Jobs, func(j plan.Job) bool { return j.ID == job })
	k := slices.IndexFunc(p.Jobs[i].StagedPayloads, func(s plan.StagedPreparedPayload) bool { return s.PrepareNodeID == n.ID })
	role := p.Jobs[i].StagedPayloads[k].Role
	add("lanes", lane, "payloads", x.role([]string{"lanes", lane, "payloads"}, role), "output_name")
	add("lanes", lane, "shared_prepare", "node_prefix")
	add("lanes", lane, "shared_prepare", "description")
	at := []string{"lanes", lane, "roles"}
	if x.role(at, role) == "" {
		at = []string{"roles"}
	}
	for _, field := range []string{"prepare_node_suffix", "prepare_description"} {
		add(append(slices.Clip(at), x.role(at, role), field)...)
	}
}

// output explains a payload by the name of its output, in all lanes that have
// it; nil where none does.
func (x *explainer) output(name string) (*Explanation, error) {
	out := &Explanation{Path: name, Says: []Say{}}
	for i := range x.c.lanes {
		for k, p := range x.c.lanes[i].payloads {
			if p.outputName != name {
				continue
			}
			part, err := x.field([]string{"lanes", x.c.lanes[i].id, "payloads", strconv.Itoa(k)}, true)
			if err != nil {
				return nil, err
			}
			out.Parts = append(out.Parts, *part)
		}
	}
	switch len(out.Parts) {
	case 0:
		return nil, nil
	case 1:
		return &out.Parts[0], nil
	}
	return out, nil
}
