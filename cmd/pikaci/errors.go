package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
)

// The values of --error-format. json and sarif make stderr one document, also
// where there is nothing to say: whoever uploads it needs one.
const (
	errorsText   = "text"
	errorsJSON   = "json"
	errorsSARIF  = "sarif"
	errorsGitHub = "github"
)

// declareErrorFormat adds the flag; format checks it.
func declareErrorFormat(set *pflag.FlagSet) *string {
	return set.String("error-format", errorsText,
		"`text|json|sarif|github` how mistakes and warnings are printed to stderr (default text)")
}

// printErrorsAs checks the value of --error-format and takes it.
func (s *session) printErrorsAs(format string) error {
	if err := oneOf("--error-format", format, []string{errorsText, errorsJSON, errorsSARIF, errorsGitHub}); err != nil {
		return err
	}
	s.errorFormat = format
	return nil
}

// oneDocument reports whether stderr is a document that notes would break.
func (s *session) oneDocument() bool {
	return s.errorFormat == errorsJSON || s.errorFormat == errorsSARIF
}

// severity is a diagnostic's, spelled out.
func severity(d compiler.Diagnostic) compiler.Severity {
	if d.Severity == "" {
		return compiler.Mistake
	}
	return d.Severity
}

// document writes a value as indented JSON; HTML is not what it is for.
func document(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("BUG: errors that JSON can't hold: %v", err))
	}
	return b.Bytes()
}

// jsonErrors holds all diagnostics, not only the first twenty.
func jsonErrors(found compiler.Diagnostics) []byte {
	out := struct {
		Diagnostics compiler.Diagnostics `json:"diagnostics"`
		Errors      int                  `json:"errors"`
		Warnings    int                  `json:"warnings"`
	}{Diagnostics: compiler.Diagnostics{}}
	for _, d := range found {
		if d.Severity = severity(d); d.Severity == compiler.Warning {
			out.Warnings++
		} else {
			out.Errors++
		}
		out.Diagnostics = append(out.Diagnostics, d)
	}
	return document(out)
}

// githubErrors are workflow commands, which become annotations of a pull
// request. Their files are relative to the workspace, if it is known.
func githubErrors(found compiler.Diagnostics, workspace string) []byte {
	var b bytes.Buffer
	for i, d := range found {
		if i == maxDiagnostics {
			level := compiler.Warning
			if slices.ContainsFunc(found[i:], func(d compiler.Diagnostic) bool { return severity(d) == compiler.Mistake }) {
				level = compiler.Mistake
			}
			fmt.Fprintf(&b, "::%s title=pikaci::and %d more\n", level, len(found)-i)
			break
		}
		var properties []string
		if d.Position.File != "" {
			properties = append(properties, "file="+githubProperty(within(workspace, d.Position.File)))
		}
		if d.Position.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", d.Position.Line), fmt.Sprintf("col=%d", d.Position.Column))
		}
		text := d.Message
		if d.Path != "" {
			text += "\nin " + d.Path
		}
		for _, other := range d.Others {
			text += "\nsee " + other.String()
		}
		if d.Hint != "" {
			text += "\nhint: " + d.Hint
		}
		properties = append(properties, "title=pikaci")
		fmt.Fprintf(&b, "::%s %s::%s\n", severity(d), strings.Join(properties, ","), githubData(text))
	}
	return b.Bytes()
}

// githubData escapes what would end the command or begin another.
func githubData(s string) string {
	s = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
	return printable(s)
}

// githubProperty also escapes what parts one property from the next.
func githubProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(githubData(s))
}

// workspace is the folder that GitHub's annotations are relative to; empty
// where there is none.
func workspace(env []string) string {
	for _, pair := range env {
		if dir, found := strings.CutPrefix(pair, "GITHUB_WORKSPACE="); found {
			return dir
		}
	}
	return ""
}

// within gives a file's name relative to a folder, if it lies in it.
func within(folder, file string) string {
	if folder == "" {
		return file
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	if rel, err := filepath.Rel(folder, abs); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return file
}

// fileURI is a file's name as a URI: relative where the name is.
func fileURI(file string) string {
	u := url.URL{Path: filepath.ToSlash(file)}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}

// utf16Column turns a column in bytes into what SARIF counts.
func utf16Column(line string, column int) int {
	if column < 1 || column-1 > len(line) {
		return column
	}
	return len(utf16.Encode([]rune(line[:column-1]))) + 1
}

// fingerprint stays the same while lines move.
func fingerprint(d compiler.Diagnostic) string {
	sum := sha256.Sum256([]byte(d.Position.File + "\x00" + d.Path + "\x00" + d.Message))
	return hex.EncodeToString(sum[:16])
}
