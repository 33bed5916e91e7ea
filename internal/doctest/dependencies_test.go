package doctest

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDependencies demands a line for each direct requirement of go.mod and of
// the report's package.json, and no other.
func TestDependencies(t *testing.T) {
	direct := map[string]bool{}
	for line := range strings.Lines(read(t, "go.mod")) {
		words := strings.Fields(strings.TrimPrefix(line, "require"))
		if len(words) == 2 && strings.HasPrefix(words[1], "v") && strings.Contains(words[0], ".") {
			direct[words[0]] = true
		}
	}
	if len(direct) == 0 {
		t.Fatal("go.mod has no direct requirement")
	}
	var npm struct {
		Dependencies    map[string]string `json:"dependencies"`
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if err := json.Unmarshal([]byte(read(t, "runtime/report/html/web/package.json")), &npm); err != nil {
		t.Fatal(err)
	}
	for _, list := range []map[string]string{npm.Dependencies, npm.DevDependencies} {
		for name := range list {
			direct[name] = true
		}
	}
	text := read(t, "docs/dependencies.md")
	for module := range direct {
		if !strings.Contains(text, "\n| `"+module+"` |") {
			t.Errorf("docs/dependencies.md has no line for %s", module)
		}
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			if module, _, _ := strings.Cut(rest, "`"); !direct[module] {
				t.Errorf("docs/dependencies.md has a line for %s, which nothing requires", module)
			}
		}
	}
}
