package main

import (
	"os"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/compiler"
)

func TestGitHubEscapes(t *testing.T) {
	got := string(githubErrors(compiler.Diagnostics{{
		Position: compiler.Position{File: "a:b,c%\n.cue", Line: 2, Column: 3},
		Message:  "100%\r\n::error::x\x1b[m, y: z",
		Hint:     "h",
		Severity: compiler.Warning,
	}}, ""))
	want := "::warning file=a%3Ab%2Cc%25%0A.cue,line=2,col=3,title=pikaci::100%25%0D%0A::error::x\\x1b[m, y: z%0Ahint: h\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestGitHubCountsTheRest checks that warnings left out make no error.
func TestGitHubCountsTheRest(t *testing.T) {
	found := make(compiler.Diagnostics, maxDiagnostics+2)
	for i := range found {
		found[i] = compiler.Diagnostic{Message: "m", Severity: compiler.Warning}
	}
	if got := string(githubErrors(found, "")); !strings.HasSuffix(got, "\n::warning title=pikaci::and 2 more\n") {
		t.Errorf("got %q", got)
	}
	found[maxDiagnostics].Severity = ""
	if got := string(githubErrors(found, "")); !strings.HasSuffix(got, "\n::error title=pikaci::and 2 more\n") {
		t.Errorf("got %q", got)
	}
}

func TestColours(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for env, want := range map[string]bool{
		"": false, "CLICOLOR_FORCE=1": true, "CLICOLOR_FORCE=0": false, "CLICOLOR_FORCE=": false,
		"CLICOLOR_FORCE=1 NO_COLOR=1": false, "CLICOLOR_FORCE=1 NO_COLOR=": true, "CLICOLOR_FORCE=1 TERM=dumb": true,
	} {
		if got := colours(strings.Fields(env), file) != (palette{}); got != want {
			t.Errorf("%q: colour %v, want %v", env, got, want)
		}
	}
}

// TestUnderlined looks where the caret stands.
func TestUnderlined(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		column     int
		shown      string
		caret      string
	}{
		{"tabs", "\t\ttriger: 1", 3, "        triger: 1", "        ^^^^^^"},
		{"a tab inside", "a:\t1", 4, "a:    1", "      ^"},
		{"a text", `a: "b \" c", d`, 4, `a: "b \" c", d`, "   ^^^^^^^^"},
		{"a text that does not end", `a: "b`, 4, `a: "b`, "   ^^"},
		{"bytes are not columns", `é: "x" y`, 9, `é: "x" y`, "       ^"},
		{"wide", `漢字: yy`, 9, `漢字: yy`, "      ^^"},
		{"marks", "e\u0301: y", 6, "e\u0301: y", "   ^"},
		{"controls", "a\x1bb: 1", 3, `a\x1bb: 1`, "     ^"},
		{"behind the end", "ab", 3, "ab", "  ^"},
		{"no column", "ab", 0, "ab", "^"},
		{"long", strings.Repeat("x ", 200) + "here" + strings.Repeat(" y", 200), 401,
			"..." + strings.Repeat(" x", 16) + " here" + strings.Repeat(" y", 31) + " ...", strings.Repeat(" ", 36) + "^^^^"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			line, caret := underlined(compiler.Diagnostic{Source: tt.line, Position: compiler.Position{Line: 1, Column: tt.column}})
			if line != tt.shown || caret != tt.caret {
				t.Errorf("got\n%q\n%q, want\n%q\n%q", line, caret, tt.shown, tt.caret)
			}
		})
	}
}
