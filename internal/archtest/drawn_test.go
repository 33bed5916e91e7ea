package archtest

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into docs/ARCHITECTURE.md")

// TestDrawn holds the table of docs/ARCHITECTURE.md against the rules: the
// same packages in the same order, with the same imports.
func TestDrawn(t *testing.T) {
	const name = "../../docs/ARCHITECTURE.md"
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var drawn, want strings.Builder
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "| `") && strings.Count(line, "|") == 6 {
			drawn.WriteString(line)
		}
	}
	for _, r := range rules {
		want.WriteString(row(r) + "\n")
	}
	switch {
	case drawn.String() == want.String():
	case *update:
		b := strings.Replace(string(b), drawn.String(), want.String(), 1)
		if err := os.WriteFile(name, []byte(b), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("docs/ARCHITECTURE.md draws another table (write it: go test ./internal/archtest -update); the rules give:\n%s", want.String())
	}
}

// row is a rule as a line of the document's table.
func row(r rule) string {
	cells := []string{code([]string{r.pkg}), code(r.ours), code(r.third), code(r.not), code(r.tests)}
	return "| " + strings.Join(cells, " | ") + " |"
}

func code(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return "`" + strings.Join(names, "` `") + "`"
}
