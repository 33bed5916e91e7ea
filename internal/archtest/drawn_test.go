package archtest

import (
	"os"
	"strings"
	"testing"
)

// TestDrawn holds the table of docs/ARCHITECTURE.md against the rules: the
// same packages in the same order, with the same imports.
func TestDrawn(t *testing.T) {
	b, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	var drawn []string
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "| `") && strings.Count(line, "|") == 6 {
			drawn = append(drawn, strings.TrimSpace(line))
		}
	}
	var want []string
	for _, r := range rules {
		want = append(want, row(r))
	}
	if got, want := strings.Join(drawn, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("docs/ARCHITECTURE.md draws another table; the rules give:\n%s", want)
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
