package compiler

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// rule says whether a value is what a part of the schema takes. Rules are made
// from the schema's own syntax, so that there is one schema: what it says in a
// way that is not known here makes no rule, and no package is evaluated without
// it. A rule may refuse what CUE takes, and never the other way round.
type rule func(v datum) bool

// law are the rules of all lanes and of the shared roles.
type law struct{ lanes, roles rule }

// lawOfSchema is what the embedded schema says.
var lawOfSchema = sync.OnceValues(func() (law, error) {
	files, err := schemaFiles()
	if err != nil {
		return law{}, err
	}
	m, err := newLawmaker(files)
	if err != nil {
		return law{}, err
	}
	return law{m.definition("#Lanes"), m.definition("#Roles")}, m.err
})

// newLawmaker reads a schema's definitions.
func newLawmaker(files map[string][]byte) (*lawmaker, error) {
	m := &lawmaker{definitions: map[string]ast.Expr{}, made: map[string]*rule{}}
	for name, content := range files {
		f, err := parser.ParseFile(name, content)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.Package, *ast.CommentGroup:
			case *ast.Field:
				name, _, err := ast.LabelName(d.Label)
				if err != nil || !strings.HasPrefix(name, "#") || m.definitions[name] != nil || !ordinary(d) || d.Constraint != token.ILLEGAL {
					m.unknown(d)
					continue
				}
				m.definitions[name] = d.Value
			default:
				m.unknown(d)
			}
		}
	}
	return m, nil
}

// lawful reports whether the lanes and roles of a package are what the schema
// takes.
func lawful(d data) bool {
	law, err := lawOfSchema()
	if err != nil {
		return false
	}
	lanes, there := d.top().field("lanes")
	roles, said := d.top().field("roles")
	return (!there || law.lanes(lanes)) && (!said || law.roles(roles))
}

// lawmaker makes rules of the schema's definitions, each once.
type lawmaker struct {
	definitions map[string]ast.Expr
	made        map[string]*rule
	// err is the first thing that there is no rule for.
	err error
}

func (m *lawmaker) unknown(x ast.Node) rule {
	if m.err == nil {
		m.err = fmt.Errorf("%v: there is no rule for what the schema says here", x.Pos())
	}
	return func(datum) bool { return false }
}

func (m *lawmaker) definition(name string) rule {
	if done := m.made[name]; done != nil {
		return func(v datum) bool { return (*done)(v) }
	}
	r := new(rule)
	m.made[name] = r
	*r = m.of(m.definitions[name])
	return *r
}

// of is the rule of an expression.
func (m *lawmaker) of(x ast.Expr) rule {
	switch x := x.(type) {
	case *ast.Ident:
		return m.named(x)
	case *ast.BasicLit:
		if x.Kind == token.STRING {
			want := unquoted(x)
			return func(v datum) bool { return v.kind == cue.StringKind && v.text == want }
		}
	case *ast.ParenExpr:
		return m.of(x.X)
	case *ast.UnaryExpr:
		return m.bound(x)
	case *ast.BinaryExpr:
		a, b := m.of(x.X), m.of(x.Y)
		switch x.Op {
		case token.AND:
			return func(v datum) bool { return a(v) && b(v) }
		case token.OR:
			if !bareChoice(x) {
				break // of structs, more than one may be left
			}
			return func(v datum) bool { return a(v) || b(v) }
		}
	case *ast.ListLit:
		return m.list(x)
	case *ast.StructLit:
		return m.structure(x)
	case nil:
		return m.unknown(&ast.BadExpr{})
	}
	return m.unknown(x)
}

func (m *lawmaker) named(x *ast.Ident) rule {
	kind, known := map[string]cue.Kind{"string": cue.StringKind, "int": cue.IntKind, "bool": cue.BoolKind}[x.Name]
	switch {
	case known:
		return func(v datum) bool { return v.kind == kind }
	case m.definitions[x.Name] != nil:
		return m.definition(x.Name)
	}
	return m.unknown(x)
}

// bound is the rule of a comparison with a literal.
func (m *lawmaker) bound(x *ast.UnaryExpr) rule {
	lit, ok := x.X.(*ast.BasicLit)
	switch {
	case ok && lit.Kind == token.STRING && x.Op == token.MAT:
		if matches, err := regexp.Compile(unquoted(lit)); err == nil {
			return func(v datum) bool { return v.kind == cue.StringKind && matches.MatchString(v.text) }
		}
	case ok && lit.Kind == token.STRING && x.Op == token.NEQ:
		other := unquoted(lit)
		return func(v datum) bool { return v.kind == cue.StringKind && v.text != other }
	case ok && lit.Kind == token.INT:
		limit, err := strconv.ParseInt(lit.Value, 10, 64)
		within, known := map[token.Token]func(n int64) bool{
			token.GTR: func(n int64) bool { return n > limit },
			token.GEQ: func(n int64) bool { return n >= limit },
			token.LSS: func(n int64) bool { return n < limit },
			token.LEQ: func(n int64) bool { return n <= limit },
		}[x.Op]
		if err == nil && known {
			return func(v datum) bool { return v.kind == cue.IntKind && within(v.number) }
		}
	}
	return m.unknown(x)
}

// list is the rule of a list: elements by place, then perhaps more of one kind.
func (m *lawmaker) list(x *ast.ListLit) rule {
	var first []rule
	var more rule
	for i, e := range x.Elts {
		rest, ok := e.(*ast.Ellipsis)
		switch {
		case !ok:
			first = append(first, m.of(e))
		case rest.Type == nil || i != len(x.Elts)-1:
			return m.unknown(x)
		default:
			more = m.of(rest.Type)
		}
	}
	return func(v datum) bool {
		if v.kind != cue.ListKind || int(v.count) < len(first) || more == nil && int(v.count) > len(first) {
			return false
		}
		i := 0
		for e := range v.within() {
			if i < len(first) && !first[i](e) || i >= len(first) && !more(e) {
				return false
			}
			i++
		}
		return true
	}
}

// structure is the rule of a definition's struct, which is closed: fields by
// name, or all fields by one pattern.
func (m *lawmaker) structure(x *ast.StructLit) rule {
	fields := map[string]rule{}
	var required []string
	for _, d := range x.Elts {
		f, ok := d.(*ast.Field)
		if !ok || !ordinary(f) {
			return m.unknown(d)
		}
		if pattern, ok := f.Label.(*ast.ListLit); ok && len(pattern.Elts) == 1 && len(x.Elts) == 1 && f.Constraint == token.ILLEGAL {
			return m.pattern(m.of(pattern.Elts[0]), m.of(f.Value))
		}
		name, _, err := ast.LabelName(f.Label)
		if err != nil || internal(name) || fields[name] != nil {
			return m.unknown(f)
		}
		fields[name] = m.of(f.Value)
		switch f.Constraint {
		case token.NOT:
			required = append(required, name)
		case token.OPTION:
		default:
			// A field that is there by itself would be more than a check.
			return m.unknown(f)
		}
	}
	return func(v datum) bool {
		for f := range v.within() {
			if holds := fields[f.label]; holds == nil || !holds(f) {
				return false
			}
		}
		return v.kind == cue.StructKind && !slices.ContainsFunc(required, func(name string) bool {
			_, there := v.field(name)
			return !there
		})
	}
}

// ordinary reports whether a field has no other name, and no attributes but words
// for messages.
func ordinary(f *ast.Field) bool {
	return f.Alias == nil && !slices.ContainsFunc(f.Attrs, func(a *ast.Attribute) bool {
		key, _ := a.Split()
		return key != "want"
	})
}

// pattern is the rule of a struct whose fields are all of one kind.
func (m *lawmaker) pattern(names, each rule) rule {
	return func(v datum) bool {
		for f := range v.within() {
			if !names(datum{node: &node{kind: cue.StringKind, text: f.label}}) || !each(f) {
				return false
			}
		}
		return v.kind == cue.StructKind
	}
}
