package compiler

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"

	"github.com/sledtools/pikaci/schema"
	"github.com/sledtools/pikaci/schema/plan"
)

// Explanation is a value and every place that had a say in it.
type Explanation struct {
	// Path is the field's path, or a node's id.
	Path string `json:"path"`
	// Value is the value as JSON; nil for an optional field that is left out
	// and has no default.
	Value json.RawMessage `json:"value,omitempty"`
	// Default says that no lane file gives the value.
	Default bool `json:"default,omitempty"`
	// Doc is what the schema says of the field.
	Doc  string `json:"doc,omitempty"`
	Says []Say  `json:"says"`
	// Parts are the fields of a struct, or what a node is made from.
	Parts []Explanation `json:"parts,omitempty"`
}

// Say is one place that had a say.
type Say struct {
	// Kind is "set" in the lane, "template NAME", "computed" by a
	// comprehension, "used" by an expression, or "schema".
	Kind     string   `json:"kind"`
	Position Position `json:"position"`
	// Text is the line there.
	Text string `json:"text"`
}

// Explain says where a value comes from. What is the path of a field
// (lanes.fixture.jobs.clippy.timeout_secs), a shorter form of one that begins
// with the id of a lane or job (clippy.timeout_secs), a node's id, or the name
// of an output. The error is *UnknownNameError where there is no such thing.
func Explain(dir, what string) (*Explanation, error) {
	c, err := Load(dir)
	if err != nil {
		return nil, err
	}
	s, err := openSource(dir)
	if err != nil {
		return nil, err
	}
	inst, err := s.load()
	if err != nil {
		return nil, err
	}
	ctx := newContext()
	x := &explainer{c: c, s: s, p: readPlaces(s.tree, inst.Files), v: ctx.BuildInstance(inst)}
	for _, dep := range inst.Dependencies() {
		if ast.ParseImportPath(dep.ImportPath).Path == schema.ImportPath {
			x.schema = ctx.BuildInstance(dep)
		}
	}
	p := c.assemble(everything(c))
	if i := slices.IndexFunc(p.Nodes, func(n plan.Node) bool { return n.ID == what }); i >= 0 {
		return x.node(p, &p.Nodes[i])
	}
	if out, err := x.output(what); out != nil || err != nil {
		return out, err
	}
	path, err := x.path(p, what)
	if err != nil {
		return nil, err
	}
	return x.field(path, true)
}

type explainer struct {
	c *Catalogue
	s *source
	p *places
	// v is the lane package, schema the schema's, both evaluated.
	v, schema cue.Value
}

// path turns what was asked for into the elements of a path: ids may hold dots,
// so that those that are there decide where one ends.
func (x *explainer) path(p *plan.Plan, what string) ([]string, error) {
	var path []string
	rest := what
	switch {
	case rest == "lanes" || strings.HasPrefix(rest, "lanes."), rest == "roles" || strings.HasPrefix(rest, "roles."):
	default:
		// The id of a job or lane begins a shorter form.
		if id, after := longest(rest, x.jobIDs()); id != "" {
			path, rest = []string{"lanes", x.lane(id), "jobs", id}, after
		} else if name, after := longest(rest, x.laneNames()); name != "" {
			path, rest = []string{"lanes", x.laneNamed(name)}, after
		} else if i := x.role([]string{"roles"}, rest); i != "" {
			path, rest = []string{"roles", i}, ""
		} else {
			var known []string
			for i := range p.Nodes {
				known = append(known, p.Nodes[i].ID)
			}
			known = slices.Concat(known, x.jobIDs(), x.laneNames(), []string{"lanes", "roles"})
			return nil, &UnknownNameError{Kind: "field, node, job, lane or output", Name: what, Nearest: nearest(what, known)}
		}
	}
	for rest != "" {
		known := x.names(path)
		id, after := longest(rest, known)
		if id == "" {
			first, _, _ := strings.Cut(rest, ".")
			if id, after = x.role(path, first), strings.TrimPrefix(rest[len(first):], "."); id == "" {
				near := nearest(first, known)
				if near != "" {
					near = joinPath(append(slices.Clip(path), near))
				}
				return nil, &UnknownNameError{Kind: "field", Name: what, Nearest: near}
			}
		}
		path, rest = append(path, id), after
	}
	return path, nil
}

// longest gives the longest of the names that a text begins with, up to a dot
// or its end, and what follows; a name may stand in quotes.
func longest(text string, names []string) (name, rest string) {
	for _, n := range names {
		for _, form := range []string{n, strconv.Quote(n)} {
			after, ok := strings.CutPrefix(text, form)
			if ok && (after == "" || after[0] == '.') && len(n) >= len(name) {
				name, rest = n, strings.TrimPrefix(after, ".")
			}
		}
	}
	return name, rest
}

// laneNames are ids, titles and targets.
func (x *explainer) laneNames() []string {
	var out []string
	for i := range x.c.lanes {
		l := &x.c.lanes[i]
		out = append(out, l.id, l.title)
		if l.targetID != "" {
			out = append(out, l.targetID)
		}
	}
	return out
}

// laneNamed is the id of the lane that has a name.
func (x *explainer) laneNamed(name string) string {
	i := slices.IndexFunc(x.c.lanes, func(l laneFile) bool { return l.id == name })
	if i < 0 {
		i = slices.IndexFunc(x.c.lanes, func(l laneFile) bool { return l.title == name || l.targetID == name })
	}
	return x.c.lanes[i].id
}

func (x *explainer) jobIDs() []string {
	var out []string
	for i := range x.c.lanes {
		for _, j := range x.c.lanes[i].jobs {
			out = append(out, j.id)
		}
	}
	return out
}

// lane is the lane of a job.
func (x *explainer) lane(job string) string {
	for i := range x.c.lanes {
		for _, j := range x.c.lanes[i].jobs {
			if j.id == job {
				return x.c.lanes[i].id
			}
		}
	}
	return ""
}

// names are what may follow a path: fields that are there, and those that the
// schema knows.
func (x *explainer) names(path []string) []string {
	if len(path) == 0 {
		return []string{"lanes", "roles"}
	}
	var out []string
	v := x.lookup(path)
	if it, err := v.Fields(); err == nil {
		for it.Next() {
			out = append(out, it.Selector().Unquoted())
		}
	}
	if n, err := v.Len().Int64(); err == nil && v.IncompleteKind() == cue.ListKind {
		for i := range n {
			out = append(out, strconv.FormatInt(i, 10))
		}
	}
	for _, n := range knownFields(x.want(path)).names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// role gives the index of a payload or role that is named by its role.
func (x *explainer) role(path []string, name string) string {
	v := x.lookup(path)
	for i := range 1000 {
		e := v.LookupPath(cue.MakePath(cue.Index(i)))
		if !e.Exists() {
			break
		}
		if role, err := e.LookupPath(cue.ParsePath("role")).String(); err == nil && role == name {
			return strconv.Itoa(i)
		}
	}
	return ""
}

// lookup is the value at a path; it may not exist.
func (x *explainer) lookup(path []string) cue.Value {
	v := x.v
	for _, name := range path {
		next := v.LookupPath(cue.MakePath(cue.Str(name)))
		if i, err := strconv.Atoi(name); err == nil && v.IncompleteKind() == cue.ListKind {
			next = v.LookupPath(cue.MakePath(cue.Index(i)))
		}
		v = next
	}
	return v
}

// want is the schema's value for a path; it may not exist.
func (x *explainer) want(path []string) cue.Value {
	v := x.schema.LookupPath(cue.ParsePath("#" + strings.ToUpper(path[0][:1]) + path[0][1:]))
	for _, name := range path[1:] {
		switch field, ok := knownFields(v).values[name]; {
		case ok:
			v = field
		case v.IncompleteKind() == cue.ListKind:
			v = v.LookupPath(cue.MakePath(cue.AnyIndex))
		default:
			v = v.LookupPath(cue.MakePath(cue.Str(name).Optional()))
		}
	}
	return v
}

// field explains the field at a path, and with parts those below it.
func (x *explainer) field(path []string, parts bool) (*Explanation, error) {
	out := &Explanation{Path: joinPath(path), Says: []Say{}}
	want := x.want(path)
	out.Doc = x.doc(want)
	if v := x.lookup(path); v.Exists() {
		b, err := v.MarshalJSON()
		if err != nil {
			return nil, err
		}
		out.Value, out.Says = b, x.says(path, v)
	} else {
		value, err := x.defaultOf(path)
		if err != nil {
			return nil, err
		}
		out.Value, out.Default = value, true
		out.Says = append(out.Says, x.say("schema", want))
	}
	if !parts || kindOf(want) != cue.StructKind {
		return out, nil
	}
	// In the schema's order; a struct of names has them in its own.
	names := knownFields(want).names
	if len(names) == 0 {
		names = x.names(path)
	}
	for _, name := range names {
		part, err := x.field(append(slices.Clip(path), name), false)
		if err != nil {
			return nil, err
		}
		out.Parts = append(out.Parts, *part)
	}
	return out, nil
}

// doc is the comment above a field in the schema, as one line. It is read from
// the text: the compiler parses without comments.
func (x *explainer) doc(v cue.Value) string {
	source := v.Source()
	if source == nil {
		return ""
	}
	content, err := x.s.tree.ReadFile(source.Pos().Filename())
	if err != nil {
		return ""
	}
	lines := strings.Split(string(content), "\n")
	var words []string
	for i := min(source.Pos().Line()-2, len(lines)-1); i >= 0; i-- {
		text, ok := strings.CutPrefix(strings.TrimSpace(lines[i]), "//")
		if !ok {
			break
		}
		words = append(strings.Fields(text), words...)
	}
	return strings.Join(words, " ")
}

// defaultOf is the value that a field has which no lane file gives. It is taken
// from what the compiler made, so that it can't differ from it.
func (x *explainer) defaultOf(path []string) (json.RawMessage, error) {
	var made any
	switch {
	case len(path) < 3 || path[0] != "lanes":
		return nil, nil
	case len(path) > 4 && path[2] == "jobs":
		p, err := x.c.Compile(Select{Lanes: []string{path[1]}})
		if err != nil {
			return nil, err
		}
		for i := range p.Jobs {
			if j := &p.Jobs[i]; j.ID == path[3] {
				made = struct {
					*plan.Job
					IsHost bool `json:"host"`
				}{j, j.Host()}
			}
		}
		path = path[4:]
	case path[2] == "incus":
		made, path = map[string]plan.Incus{"incus": defaultIncus()}, path[2:]
	default:
		made, path = map[string]string{"id": path[1], "trigger": string(plan.Branch)}, path[2:]
	}
	b, err := json.Marshal(made)
	for _, name := range path {
		var fields map[string]json.RawMessage
		if err != nil || json.Unmarshal(b, &fields) != nil {
			return nil, err
		}
		b = fields[name]
	}
	if bytes.Equal(b, []byte("[]")) || bytes.Equal(b, []byte("{}")) {
		return nil, err
	}
	return b, err
}
