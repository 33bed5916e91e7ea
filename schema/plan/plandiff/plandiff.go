// Package plandiff says how two plans differ in what they mean: which lanes,
// jobs, payloads and nodes came, went or changed, and what an earlier run's
// work no longer covers. It is pure: it knows two plans and nothing of files,
// commits or terminals.
package plandiff

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sledtools/pikaci/schema/plan"
)

// Change says what became of a thing.
type Change string

// The changes.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
)

// Diff is how two plans differ.
type Diff struct {
	// Plan are the fields of the plan as a whole: selection and snapshot.
	Plan     []Field `json:"plan"`
	Lanes    []Item  `json:"lanes"`
	Jobs     []Item  `json:"jobs"`
	Payloads []Item  `json:"payloads"`
	// Nodes are those of instances and commands; the builds are Payloads.
	Nodes []Item `json:"nodes"`
	// Sources are files that the plans were compiled from.
	Sources []Item `json:"sources"`
	// Reordered says that the plans differ in nothing but an order.
	Reordered bool `json:"reordered"`
	// Build are outputs that the old plan does not build.
	Build []Again `json:"build"`
	// Run are jobs for which no pass under the old plan can stand in.
	Run []Again `json:"run"`
}

// Item is one thing that differs.
type Item struct {
	// ID is the lane's, job's or node's id, or the source's path.
	ID     string `json:"id"`
	Change Change `json:"change"`
	// Lane is the lane of a job.
	Lane string `json:"lane,omitempty"`
	// Label is what a person knows it by: title, description or installable.
	Label string `json:"label,omitempty"`
	// Fields are those that changed.
	Fields []Field `json:"fields,omitempty"`
	// Implied says of a node that it comes or goes with a job that is listed.
	Implied bool `json:"implied,omitempty"`
}

// Field is one field that changed. From and To are as decoded from JSON; nil
// where the field is not there.
type Field struct {
	Field string `json:"field"`
	From  any    `json:"from"`
	To    any    `json:"to"`
}

// Again is something to be built or run that was not so before.
type Again struct {
	// ID is the job's id, or the id of the node that builds.
	ID string `json:"id"`
	// Installable is what is built.
	Installable string `json:"installable,omitempty"`
	// Jobs are those that wait for the build.
	Jobs []string `json:"jobs,omitempty"`
	// Why are the fields or payloads that changed; "new" for what was not
	// there.
	Why []string `json:"why"`
}

// Empty reports whether the graphs are the same; their sources may differ.
func (d *Diff) Empty() bool {
	return len(d.Plan)+len(d.Lanes)+len(d.Jobs)+len(d.Payloads)+len(d.Nodes) == 0 && !d.Reordered
}

// Compare says how new differs from old. It takes plans that nobody checked,
// too: what can't be told apart by meaning is told field by field.
func Compare(old, new *plan.Plan) *Diff {
	c := &comparison{old: indexed(old), new: indexed(new), diff: &Diff{
		Plan: []Field{}, Lanes: []Item{}, Jobs: []Item{}, Payloads: []Item{}, Nodes: []Item{},
		Sources: []Item{}, Build: []Again{}, Run: []Again{},
	}}
	c.plan()
	c.jobs()
	c.lanes()
	c.nodes()
	c.sources()
	if c.diff.Empty() {
		c.diff.Reordered = !bytes.Equal(bare(old), bare(new))
	}
	c.again()
	return c.diff
}

// bare is a plan's content without what names it.
func bare(p *plan.Plan) []byte {
	q := *p
	q.Digest, q.Sources = "", nil
	b, err := plan.Encode(&q)
	if err != nil {
		panic("BUG: a plan can't be encoded: " + err.Error())
	}
	return b
}

// index finds the parts of a plan by id.
type index struct {
	plan  *plan.Plan
	lanes map[string]*plan.Lane
	jobs  map[string]*plan.Job
	nodes map[string]*plan.Node
}

func indexed(p *plan.Plan) *index {
	x := &index{p, map[string]*plan.Lane{}, map[string]*plan.Job{}, map[string]*plan.Node{}}
	for i := range p.Lanes {
		x.lanes[p.Lanes[i].ID] = &p.Lanes[i]
	}
	for i := range p.Jobs {
		x.jobs[p.Jobs[i].ID] = &p.Jobs[i]
	}
	for i := range p.Nodes {
		x.nodes[p.Nodes[i].ID] = &p.Nodes[i]
	}
	return x
}

// command is what a job runs, which its execute node says.
func (x *index) command(job string) []string {
	if n := x.nodes[plan.ExecuteID(job)]; n != nil {
		return n.Command()
	}
	return nil
}

type comparison struct {
	old, new *index
	diff     *Diff
}

func (c *comparison) plan() {
	type whole struct {
		SchemaVersion int            `json:"schema_version"`
		Selection     plan.Selection `json:"selection"`
		Snapshot      plan.Snapshot  `json:"snapshot"`
	}
	a, b := c.old.plan, c.new.plan
	c.diff.Plan = append(c.diff.Plan, fields(
		object(whole{a.SchemaVersion, a.Selection, a.Snapshot}),
		object(whole{b.SchemaVersion, b.Selection, b.Snapshot}))...)
}

func (c *comparison) lanes() {
	c.diff.Lanes = append(c.diff.Lanes, items(c.old.plan.Lanes, c.new.plan.Lanes, kind[plan.Lane]{
		id:    func(l *plan.Lane) string { return l.ID },
		item:  func(l *plan.Lane) Item { return Item{Label: l.Title} },
		whole: func(_ *index, l *plan.Lane) map[string]any { return object(l) },
		drop: func(l *plan.Lane, f Field) bool {
			// Jobs that came and went are told of as jobs.
			return f.Field == "jobs" && sameOrder(c.old.lanes[l.ID].Jobs, l.Jobs)
		},
	}, c)...)
}

func (c *comparison) jobs() {
	c.diff.Jobs = append(c.diff.Jobs, items(c.old.plan.Jobs, c.new.plan.Jobs, kind[plan.Job]{
		id:    func(j *plan.Job) string { return j.ID },
		item:  func(j *plan.Job) Item { return Item{Lane: j.Lane, Label: j.Description} },
		whole: jobView,
		drop: func(j *plan.Job, f Field) bool {
			return f.Field == rolesField && sameOrder(roles(c.old.jobs[j.ID]), roles(j))
		},
	}, c)...)
}

// jobView is a job with its command. Of its payloads it holds what the job
// adds to the builds, so that a build that changed is told of once.
func jobView(x *index, j *plan.Job) map[string]any {
	o := object(j)
	o["command"] = value(x.command(j.ID))
	staged := map[string]any{}
	for i := range j.StagedPayloads {
		s := &j.StagedPayloads[i]
		one := object(s)
		delete(one, "role")
		one["local_mount_path"] = strings.TrimPrefix(s.LocalMountPath, "jobs/"+j.ID+"/")
		if n := x.nodes[s.PrepareNodeID]; n != nil && n.NixBuild != nil && n.Description == s.PrepareDescription &&
			n.NixBuild.Installable == s.Installable && n.NixBuild.OutputName == s.OutputName {
			delete(one, "installable")
			delete(one, "output_name")
			delete(one, "prepare_description")
			delete(one, "prepare_timeout_secs")
		}
		staged[s.Role] = one
	}
	o["staged_payloads"] = staged
	o[rolesField] = value(roles(j))
	return o
}

// rolesField is what the order of a job's payloads is told as: it is the order
// in which they are mounted.
const rolesField = "staged_payloads order"

func roles(j *plan.Job) []string {
	out := make([]string, len(j.StagedPayloads))
	for i := range j.StagedPayloads {
		out[i] = j.StagedPayloads[i].Role
	}
	return out
}

func (c *comparison) sources() {
	c.diff.Sources = append(c.diff.Sources, items(c.old.plan.Sources, c.new.plan.Sources, kind[plan.Source]{
		id:    func(s *plan.Source) string { return s.Path },
		item:  func(*plan.Source) Item { return Item{} },
		whole: func(_ *index, s *plan.Source) map[string]any { return object(s) },
	}, c)...)
}

// kind says how the members of one list are told apart and compared.
type kind[T any] struct {
	id    func(*T) string
	item  func(*T) Item
	whole func(*index, *T) map[string]any
	// drop leaves out a field that something else tells of.
	drop func(*T, Field) bool
}

// items compares two lists member by member: first what went, in the old
// order, then the rest in the new one.
func items[T any](old, new []T, k kind[T], c *comparison) []Item {
	was, is := map[string]*T{}, map[string]*T{}
	for i := range old {
		was[k.id(&old[i])] = &old[i]
	}
	for i := range new {
		is[k.id(&new[i])] = &new[i]
	}
	var out []Item
	add := func(x *T, change Change, fields []Field) {
		item := k.item(x)
		item.ID, item.Change, item.Fields = k.id(x), change, fields
		out = append(out, item)
	}
	for i := range old {
		if is[k.id(&old[i])] == nil {
			add(&old[i], Removed, nil)
		}
	}
	for i := range new {
		x := &new[i]
		before := was[k.id(x)]
		if before == nil {
			add(x, Added, nil)
			continue
		}
		found := slices.DeleteFunc(fields(k.whole(c.old, before), k.whole(c.new, x)), func(f Field) bool {
			return k.drop != nil && k.drop(x, f)
		})
		if len(found) > 0 {
			add(x, Changed, found)
		}
	}
	return out
}

// sameOrder reports whether what two lists have in common is in one order.
func sameOrder(a, b []string) bool {
	common := func(of, in []string) []string {
		return slices.DeleteFunc(slices.Clone(of), func(s string) bool { return !slices.Contains(in, s) })
	}
	return slices.Equal(common(a, b), common(b, a))
}
