package compiler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sledtools/pikaci/schema/plan"
)

// checker holds lanes against the rules that CUE can't see: those between
// lanes, and those of the graph. It tells all mistakes at once.
type checker struct {
	c *Catalogue
	p *places
	// lanes are in source order, so that of two places the later is wrong.
	lanes []*laneFile
	// rolesUnknown says that the folder's roles could not be read.
	rolesUnknown bool
	out          Diagnostics
	// wired waits for the graph of all lanes.
	wired func() wired
}

// wired is the graph of all lanes with what plan.Check says of it.
type wired struct {
	plan  *plan.Plan
	graph *graph
	bad   []*plan.Problem
}

// check gives every mistake of the catalogue, in source order, or the
// warnings where there is none.
func check(c *Catalogue, p *places, dir string) (mistakes, warnings Diagnostics) {
	if len(c.lanes) == 0 {
		return Diagnostics{{Position: Position{File: dir}, Message: "no lanes in the lane files",
			Hint: "a lane is written as lanes: my_lane: {title: ..., jobs: {...}}"}}, nil
	}
	k := &checker{c: c, p: p}
	if found := k.all(); len(found) > 0 {
		return found, nil
	}
	return nil, k.warn()
}

// all gives every mistake of the checker's catalogue, in source order.
func (k *checker) all() Diagnostics {
	byID := map[string]*laneFile{}
	var ids []string
	for i := range k.c.lanes {
		byID[k.c.lanes[i].id] = &k.c.lanes[i]
		ids = append(ids, k.c.lanes[i].id)
	}
	k.p.sortAuthored(ids, "lanes")
	k.wireAhead()
	for _, id := range ids {
		k.lanes = append(k.lanes, byID[id])
	}
	k.names()
	k.jobIDs()
	k.roles([]string{"roles"}, k.c.roles, nil)
	for _, l := range k.lanes {
		k.lane(l)
	}
	if len(k.out) == 0 && !k.rolesUnknown {
		// The graph is only worth wiring from lanes that are right.
		k.graph()
	}
	return sorted(k.out)
}

func (k *checker) fail(at Position, path []string, others []Position, hint, format string, args ...any) {
	k.out = append(k.out, Diagnostic{
		Position: at, Path: joinPath(path), Message: fmt.Sprintf(format, args...), Hint: hint, Others: others})
}

// bad is a mistake of one field.
func (k *checker) bad(path []string, format string, args ...any) {
	k.fail(k.p.at(path...), path, nil, "", format, args...)
}

// names checks that every id, title and target leads to one lane.
func (k *checker) names() {
	owner := map[string]*laneFile{}
	field := map[string]string{}
	for _, l := range k.lanes {
		for _, n := range []struct{ field, name string }{{"id", l.id}, {"title", l.title}, {"target_id", l.targetID}} {
			if n.name == "" {
				continue
			}
			first := owner[n.name]
			if first == nil {
				owner[n.name], field[n.name] = l, n.field
				continue
			}
			if first != l {
				k.fail(k.nameAt(l, n.field), []string{"lanes", l.id, n.field}, []Position{k.nameAt(first, field[n.name])},
					"ids, titles and targets are names of lanes: each leads to one",
					"%s %q is already the %s of lane %s", n.field, n.name, field[n.name], first.id)
			}
		}
	}
}

func (k *checker) nameAt(l *laneFile, field string) Position {
	if field == "id" {
		return k.p.label("lanes", l.id)
	}
	return k.p.at("lanes", l.id, field)
}

func (k *checker) jobIDs() {
	owner := map[string]*laneFile{}
	folded := map[string][]string{}
	for _, l := range k.lanes {
		for _, j := range l.jobs {
			path, key := []string{"lanes", l.id, "jobs", j.id}, strings.ToLower(j.id)
			if first := folded[key]; first != nil && first[3] != j.id {
				k.fail(k.p.label(path...), path, []Position{k.p.label(first...)},
					"a job's folder has its name, and not every disk tells letters' case", "job %s and job %s differ only in case", j.id, first[3])
				continue
			}
			folded[key] = path
			if first := owner[j.id]; first != nil {
				k.fail(k.p.label(path...), path, []Position{k.p.label("lanes", first.id, "jobs", j.id)},
					"ids of jobs are unique over all lanes", "job %s is already a job of lane %s", j.id, first.id)
				continue
			}
			owner[j.id] = l
		}
	}
}

// roles checks a list of roles; before are those that the list adds to.
func (k *checker) roles(path []string, roles, before []role) {
	for i, r := range roles {
		at := append(slices.Clip(path), strconv.Itoa(i))
		for n, o := range append(slices.Clone(before), roles[:i]...) {
			if o.name != r.name {
				continue
			}
			other := append(slices.Clip(path), strconv.Itoa(n-len(before)))
			if n < len(before) {
				other = []string{"roles", strconv.Itoa(n)}
			}
			k.fail(k.p.at(append(at, "role")...), at, []Position{k.p.at(append(other, "role")...)},
				"give the role a name of its own", "role %s is defined twice", r.name)
		}
		if where := append(at, "guest_mount_path"); !cleanAbsolute(r.guestMountPath) {
			k.bad(where, "guest_mount_path is %q: want an absolute path without . and ..", r.guestMountPath)
		} else if why := plan.GuestPathProblem(r.guestMountPath); why != "" {
			k.fail(k.p.at(where...), where, nil, "a place of its own is free, like /staged/"+r.name, "guest_mount_path %s %s", r.guestMountPath, why)
		}
	}
}

// within reports whether a path is a folder or lies in it.
func within(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

// wireAhead wires all lanes at once, beside the other checks: lanes are right as
// a rule. What comes of it is not asked for where they are not.
func (k *checker) wireAhead() {
	type result struct {
		wired
		panicked any
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			r.panicked = recover()
			done <- r
		}()
		r.plan, r.graph = k.c.wire(everything(k.c))
		r.bad = problems(plan.Check(r.plan))
	}()
	k.wired = func() wired {
		r := <-done
		if r.panicked != nil {
			panic(r.panicked)
		}
		return r.wired
	}
}

// graph looks at how all lanes are wired: ids that two lanes
// give different contents, and what plan.Check refuses.
func (k *checker) graph() {
	w := k.wired()
	g := w.graph
	told := map[string]bool{}
	for _, c := range g.conflicts {
		first, second := c.first, c.second
		at, other := k.originAt(first), k.originAt(second)
		if k.later(first, second) {
			first, second, at, other = second, first, other, at
		}
		key := c.id + "\x00" + first.lane + "\x00" + second.lane
		if told[key] {
			continue
		}
		told[key] = true
		if c.what == differentKind {
			k.fail(other, k.originPath(second), []Position{at}, "rename the job, or the role's prepare_node_suffix",
				"node %s would be both the build of a payload and a node of a job", c.id)
			continue
		}
		k.fail(other, k.originPath(second), []Position{at}, "give one lane another node_prefix, or both the same output",
			"lanes %s and %s differ in node %s: %s", first.lane, second.lane, c.id, c.what)
	}
	if len(g.conflicts) > 0 {
		return
	}
	for _, bad := range w.bad {
		k.fail(k.whereAt(w.plan, bad.Where), nil, nil, "", "%s: %s", bad.Where, bad.What)
	}
}

// later reports whether a stands behind b in the lane files.
func (k *checker) later(a, b origin) bool {
	index := func(o origin) int {
		return slices.IndexFunc(k.lanes, func(l *laneFile) bool { return l.id == o.lane })
	}
	return index(a) > index(b)
}

func (k *checker) originPath(o origin) []string {
	if o.payload >= 0 {
		return []string{"lanes", o.lane, "payloads", strconv.Itoa(o.payload)}
	}
	return []string{"lanes", o.lane, "jobs", o.job}
}

func (k *checker) originAt(o origin) Position { return k.p.at(k.originPath(o)...) }

// whereAt is the place of what plan.Check names.
func (k *checker) whereAt(p *plan.Plan, where string) Position {
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if where == fmt.Sprintf("job %q", j.ID) || where == fmt.Sprintf("node %q", plan.ExecuteID(j.ID)) {
			return k.p.label("lanes", j.Lane, "jobs", j.ID)
		}
	}
	for _, l := range k.lanes {
		if where == fmt.Sprintf("lane %q", l.id) {
			return k.p.label("lanes", l.id)
		}
	}
	return k.p.label("lanes")
}
