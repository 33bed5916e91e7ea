package typeschema

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// Source is what only the source of the types says: comments, and the values
// of types that are names.
type Source struct {
	// Types and Fields are comments by name.
	Types  map[string]string
	Fields map[string]map[string]string
	// Values are those of each type whose constants are names.
	Values map[string][]string
}

// ReadSource reads Go files.
func ReadSource(files ...string) (Source, error) {
	s := Source{Types: map[string]string{}, Fields: map[string]map[string]string{}, Values: map[string][]string{}}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return s, err
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				for _, spec := range g.Specs {
					s.add(g, spec)
				}
			}
		}
	}
	return s, nil
}

func (s *Source) add(g *ast.GenDecl, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		s.Types[spec.Name.Name] = text(g.Doc)
		if st, ok := spec.Type.(*ast.StructType); ok {
			s.Fields[spec.Name.Name] = fieldComments(st)
		}
	case *ast.ValueSpec:
		name, ok := spec.Type.(*ast.Ident)
		if !ok || len(spec.Values) != 1 {
			return
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			v, _ := strconv.Unquote(literal.Value) // it parsed
			s.Values[name.Name] = append(s.Values[name.Name], v)
		}
	}
}

func fieldComments(st *ast.StructType) map[string]string {
	comments := map[string]string{}
	for _, f := range st.Fields.List {
		for _, n := range f.Names {
			comments[n.Name] = text(f.Doc)
		}
	}
	return comments
}

func text(c *ast.CommentGroup) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(c.Text()), " "), ".")
}
