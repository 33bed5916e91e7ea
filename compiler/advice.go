package compiler

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/scanner"
	"cuelang.org/go/cue/token"
)

// This file knows what people write who come from YAML, TOML, JSON, Nix or a
// shell, and what CUE's parser and resolver say of it. It looks at the source
// around a mistake, and only ever changes how one is told.

// slip is a pattern of a line and what it says about it. Where the pattern has
// a group, the mistake is there.
type slip struct {
	pattern       string
	message, hint string
}

// slips are tried in order, on the line of the mistake and the one before.
// %s stands for the group.
var slips = sync.OnceValue(func() []compiledSlip {
	var out []compiledSlip
	for _, s := range []slip{
		{`^\s*(#)\s`, "a # begins no comment", "a comment begins with //"},
		{`^\s*(/\*)`, "/* begins no comment", "a comment begins with //, on every line"},
		{`^\s*(- )`, "a list is not written with dashes", "a list is written in brackets: [\"a\", \"b\"]"},
		{`^\s*(\[\[?[\w.-]+\]\]?)\s*$`, "a table in brackets is TOML", "a struct is written in braces: lanes: my_lane: {...}"},
		{`^\s*[\w"-]+\s*(=)\s*[^=~]`, "a field is given its value by :, not by =", "write : for ="},
		{`(;)\s*$`, "a line ends with no semicolon", "remove the ;"},
		{`(?:^|[{,:])\s*([A-Za-z_]\w*(?:-\w+)+)\s*:`, "the name %s has a dash and no quotes", "write \"%s\""},
		{`^\s*([A-Za-z_]\w*(?:\.\w+)+)\s*:`, "fields of fields are not joined by dots", "write a colon behind each: lanes: my_lane: title: ..."},
		{"([\u00a0\u200b-\u200f\u2028])", "a character that nobody sees stands where CUE takes none", "remove it, or write a space"},
		{`:\s*(\d+(?:ms|s|sec|m|min|h|d|[KMGTkmgt]i?[Bb]))\b`, "%s is no number", "a number has no unit: timeout_secs counts seconds, memory is a text like \"4096MiB\""},
		{`([“”„‘’])`, "%s is no quote of CUE", "write \""},
		{`[\[,:]\s*((?:\*\*|[A-Za-z_.][\w.-]*)/[^\s,"\]}]*)`, "%s has no quotes", "a text takes quotes: \"%s\""},
	} {
		out = append(out, compiledSlip{regexp.MustCompile(s.pattern), s})
	}
	return out
})

type compiledSlip struct {
	*regexp.Regexp
	slip
}

// phrases are what CUE's parser and evaluator say, in the words of this
// program, by the format of the message. One that is not here stays as it is.
var phrases = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"string literal not terminated":           "the text does not end on its line",
		"illegal UTF-8 encoding":                  "the file is not in UTF-8",
		"missing ',' in list literal":             "a comma is missing between the elements of a list, or its ]",
		"missing ',' in struct literal":           "a comma or a new line is missing between fields",
		"expected 'EOF', found '}'":               "there is a } too many",
		"expected '}', found 'EOF'":               "the file ends before its braces are closed",
		"expected ']', found 'EOF'":               "the file ends before its brackets are closed",
		"illegal integer number":                  "a number begins with no 0",
		"structural cycle":                        "the field holds itself, without end",
		"unknown escape sequence":                 "the backslash escapes a letter that needs it not",
		"invalid interpolation: structural cycle": "it is made from a field that holds itself, without end",
	}
})

// advised tells a mistake of the syntax in a file's own terms: source is the
// file's content.
func advised(d Diagnostic, source []byte) Diagnostic {
	if said, ok := phrases()[d.Message]; ok {
		d.Message = said
	}
	lines := strings.Split(string(source), "\n")
	switch {
	case bytes.HasPrefix(source, []byte("\xff\xfe")) || bytes.HasPrefix(source, []byte("\xfe\xff")):
		d.Message, d.Hint = "the file is in UTF-16", "save it as UTF-8"
		return d
	case !utf8.Valid(source):
		d.Hint = "save the file as UTF-8"
		return d
	}
	if n := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "<<<<<<< ") || l == "<<<<<<<" }); n >= 0 {
		d.Position.Line, d.Position.Column = n+1, 1
		d.Message, d.Hint = "the file holds the marks of a merge that was not finished", "keep one side, and remove the lines <<<<<<<, ======= and >>>>>>>"
		return d
	}
	if n := d.Position.Line - 1; n >= 0 && n < len(lines) && strings.HasPrefix(lines[n], "import ") && strings.HasPrefix(d.Message, "expected label") {
		d.Position.Column = 1
		d.Message, d.Hint = "an import stands behind other fields", "move it up, below the package clause"
		return d
	}
	if strings.HasPrefix(strings.TrimSpace(lines[0]), "<") {
		d.Message, d.Hint = "the file is a web page or XML", "fetch or write the lane file anew"
		return d
	}
	for _, n := range []int{d.Position.Line - 1, d.Position.Line - 2} {
		if n >= 0 && n < len(lines) {
			if found, ok := slipIn(d, lines[n], n+1); ok {
				return found
			}
		}
	}
	if !ofBrackets().MatchString(d.Message) {
		return d
	}
	return unclosed(d, source)
}

// ofBrackets finds the mistakes that an open bracket may be behind.
var ofBrackets = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`expected|found|missing|too many|closed|terminated`)
})

func slipIn(d Diagnostic, line string, number int) (Diagnostic, bool) {
	if code, _, comment := strings.Cut(line, "//"); comment && !strings.Contains(code, `"`) {
		line = code
	}
	for _, s := range slips() {
		m := s.FindStringSubmatchIndex(line)
		if m == nil || strings.Count(line[:m[2]], `"`)%2 == 1 {
			// A match within a text is none.
			continue
		}
		word := line[m[2]:m[3]]
		d.Position.Line, d.Position.Column = number, m[2]+1
		d.Message, d.Hint = strings.ReplaceAll(s.message, "%s", word), strings.ReplaceAll(s.hint, "%s", word)
		return d, true
	}
	return d, false
}

// unclosed adds the bracket that is still open where the mistake is, or that
// the one there does not fit.
func unclosed(d Diagnostic, source []byte) Diagnostic {
	file := token.NewFile("", -1, len(source))
	var s scanner.Scanner
	s.Init(file, source, func(token.Pos, string, []any) {}, 0)
	type bracket struct {
		tok token.Token
		at  token.Position
	}
	var open []bracket
	closes := map[token.Token]token.Token{token.RBRACE: token.LBRACE, token.RBRACK: token.LBRACK, token.RPAREN: token.LPAREN}
	for {
		pos, tok, _ := s.Scan()
		at := pos.Position()
		past := at.Line > d.Position.Line || at.Line == d.Position.Line && at.Column >= d.Position.Column
		want, isClose := closes[tok]
		switch {
		case tok == token.EOF || past && !isClose:
			if len(open) > 0 && (tok == token.EOF || open[len(open)-1].tok != token.LBRACE) {
				last := open[len(open)-1].at
				d.Others = append(d.Others, Position{d.Position.File, last.Line, last.Column})
				d.Hint = fmt.Sprintf("the %s of line %d is still open", open[len(open)-1].tok, last.Line)
			}
			return d
		case tok == token.LBRACE || tok == token.LBRACK || tok == token.LPAREN:
			open = append(open, bracket{tok, at})
		case isClose && len(open) > 0 && open[len(open)-1].tok == want:
			open = open[:len(open)-1]
		case isClose:
			if len(open) > 0 {
				last := open[len(open)-1]
				d.Others = append(d.Others, Position{d.Position.File, last.at.Line, last.at.Column})
				d.Hint = fmt.Sprintf("the %s of line %d is closed by %s", last.tok, last.at.Line, tok)
			} else {
				d.Hint = "remove it, or open it before"
			}
			return d
		}
	}
}

// builtins are the packages of CUE that lane files may have use for.
var builtins = []string{"list", "strings", "strconv", "struct", "math", "regexp", "path", "net", "time", "encoding/json"}

// adviseName says what was meant by a name that leads to nothing: line is
// where it stands, at its offset; known are the names that there are.
func adviseName(name, line string, at int, known []string) string {
	words := map[string]string{"True": "true", "False": "false", "TRUE": "true", "FALSE": "false", "yes": "true", "no": "false",
		"nil": "nothing: leave the field out", "None": "nothing: leave the field out", "undefined": "nothing: leave the field out"}
	word := name
	if at >= 0 && at < len(line) {
		if end := strings.IndexAny(line[at:], " \t,]})"); end > 0 {
			word = line[at : at+end]
		} else if end < 0 {
			word = strings.TrimRight(line[at:], "\r")
		}
	}
	selector := strings.HasPrefix(word, name+".")
	switch near := nearest(name, known); {
	case words[name] != "":
		return "write " + words[name]
	case selector && slices.Contains(builtins, name):
		return fmt.Sprintf("import it: import %q", name)
	case strings.HasPrefix(name, "_") || strings.HasPrefix(name, "#") || selector || near != "" && len(name) > 3 && distance(name, near) == 1:
		return didYouMean(near)
	case strings.HasPrefix(name, "$"):
		return "lane files see no environment; a text takes quotes"
	}
	return fmt.Sprintf("a text takes quotes: %q", word)
}

// notFound is the format of the resolver's message, whose argument is a name.
const notFound = "reference %q not found"

func isReference(e errors.Error) bool {
	format, _ := e.Msg()
	return format == notFound
}

// advise adds to an error of the evaluator what was meant.
func (p *places) advise(d Diagnostic, e errors.Error) Diagnostic {
	if said, ok := phrases()[d.Message]; ok {
		d.Message = said
	}
	format, args := e.Msg()
	switch {
	case format == notFound && len(args) == 1:
		name := fmt.Sprint(args[0])
		d.Message = "nothing is named " + name
		d.Hint = adviseName(name, p.tree.line(d.Position), d.Position.Column-1, p.names())
	case format == "builtin package %q undefined" && len(args) == 1:
		d.Hint = didYouMean(nearest(fmt.Sprint(args[0]), builtins))
	case strings.HasPrefix(format, "cycle with field"):
		d.Message = "the field is made from itself"
		if len(args) == 1 && fmt.Sprint(args[0]) != lastOf(d.Path) {
			d.Message += fmt.Sprintf(", by way of %v", args[0])
		}
	case strings.HasPrefix(format, "conflicting values"):
		d.Hint = "keep one; a value that others may change is a default: *\"value\" | string"
	case strings.HasPrefix(format, "imported and not used"):
		d.Hint = "remove the import"
	case strings.HasPrefix(format, "unreferenced alias"):
		d.Hint = "remove it, or use it"
	case format == "field not allowed":
		name := lastOf(d.Path)
		d.Message = fmt.Sprintf("field %s is not allowed: a definition that this is made of has none", name)
		d.Hint = fmt.Sprintf("add %s to the definition, or name that with _ for #: a definition is closed", name)
	case strings.HasPrefix(format, "adding field"):
		d.Hint = "go through another struct, and unify the two"
	}
	d.Message = strings.ReplaceAll(d.Message, " (type _|_)", ", which is not there")
	return d
}

// names are what lane files can refer to: hidden fields, definitions, and
// packages that are imported.
func (p *places) names() []string {
	seen := map[string]bool{}
	for _, f := range p.files {
		for imp := range f.ImportSpecs() {
			seen[localName(imp)] = true
		}
		for _, d := range f.Decls {
			if field, ok := d.(*ast.Field); ok {
				if name, isIdent, err := ast.LabelName(field.Label); err == nil && isIdent {
					seen[name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// line is the text of the line at a position; empty where there is none.
func (t *tree) line(at Position) string {
	lines := strings.Split(string(t.shown(at.File)), "\n")
	if at.Line < 1 || at.Line > len(lines) {
		return ""
	}
	return lines[at.Line-1]
}

// adviseSyntax tells the mistakes of files that don't parse.
func (t *tree) adviseSyntax(found Diagnostics) Diagnostics {
	for i, d := range found {
		if d.Position.Line == 0 {
			continue
		}
		source := t.shown(d.Position.File)
		if !utf8.Valid(source) {
			found[i] = advised(d, source)
		} else if _, err := parser.ParseFile(d.Position.File, source); err != nil {
			found[i] = advised(d, source)
		}
	}
	return found
}

// lastOf is the last field of a path.
func lastOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }
