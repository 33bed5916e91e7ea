package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestFlagsAreDocumented demands a line for each flag of compile and exec.
func TestFlagsAreDocumented(t *testing.T) {
	for _, tt := range []struct {
		command  command
		document string
	}{
		{compileCommand(), "../../docs/lanes.md"},
		{execCommand(), "../../docs/running.md"},
	} {
		b, err := os.ReadFile(tt.document)
		if err != nil {
			t.Fatal(err)
		}
		set, _ := tt.command.flagSet()
		set.VisitAll(func(f *pflag.Flag) {
			for line := range strings.Lines(string(b)) {
				cells := strings.Split(line, "|")
				if len(cells) > 2 && (strings.Contains(cells[1], "`--"+f.Name+"`") || strings.Contains(cells[1], "`--"+f.Name+" ")) {
					return
				}
			}
			t.Errorf("%s has no line for %s --%s", tt.document, tt.command.name, f.Name)
		})
	}
}
