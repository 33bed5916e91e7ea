package plan

import (
	"strings"
	"testing"
)

func TestGlobTooWide(t *testing.T) {
	for glob, want := range map[string]bool{
		"": false, "**/*.go": false, "{a,b}/**": false, strings.Repeat("{a,b}", 9): false, strings.Repeat("{a,b}", 10): true,
		"{" + strings.Repeat("a,", 999) + "a}": false, "{" + strings.Repeat("a,", 1000) + "a}": true,
		strings.Repeat(`\{a,b\}`, 20): false, strings.Repeat("a,b", 2000): false, strings.Repeat("}", 2000): false,
		"{{a,b},{c,d}}": false, strings.Repeat("{a,b}", 1<<20): true,
	} {
		if got := GlobTooWide(glob); got != want {
			t.Errorf("%.40q: %v", glob, got)
		}
	}
}
