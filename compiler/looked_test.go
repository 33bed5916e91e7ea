package compiler_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sledtools/pikaci/compiler"
)

// TestLooked wants the names of all that an answer hangs on: whoever watches
// them misses no change.
func TestLooked(t *testing.T) {
	binding := "package lanes\n\nimport \"github.com/sledtools/pikaci/schema\"\n\nlanes: schema.#Lanes\n"
	lane := "package lanes\n\nlanes: a: {title: \"a\", description: _text, jobs: \"a-test\": {description: \"Runs.\", command: [\"true\"]}}\n"
	module := "module: \"example.com/x\"\nlanguage: version: \"v0.17.0\"\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string
		good  bool
	}{
		{"a module", map[string]string{
			"cue.mod/module.cue": module, "above.cue": "package lanes\n\nimport \"example.com/x/tools\"\n\n_text: tools.text\n",
			"tools/tools.cue": "package tools\n\ntext: \"Runs.\"\n", "ci/lanes/lanes.cue": binding, "ci/lanes/a.cue": lane,
		}, []string{".", "above.cue", "ci", "ci/cue.mod/module.cue", "ci/lanes", "ci/lanes/a.cue", "ci/lanes/cue.mod/module.cue", "ci/lanes/lanes.cue",
			"cue.mod/gen/github.com/sledtools/pikaci/schema", "cue.mod/module.cue", "cue.mod/pkg/github.com/sledtools/pikaci/schema", "tools", "tools/tools.cue"}, true},
		{"an embedded file", map[string]string{
			"cue.mod/module.cue": module, "ci/lanes/lanes.cue": "@extern(embed)\n\n" + binding + "_text: string @embed(file=text.txt, type=text)\n",
			"ci/lanes/a.cue": lane, "ci/lanes/text.txt": "Runs.",
		}, []string{"ci/lanes/text.txt"}, true},
		{"no module", map[string]string{"ci/lanes/lanes.cue": binding + "_text: \"x\"\n", "ci/lanes/a.cue": lane},
			[]string{"ci/lanes", "ci/lanes/a.cue", "cue.mod/module.cue"}, true},
		{"a mistake of syntax", map[string]string{"cue.mod/module.cue": module, "ci/lanes/lanes.cue": binding, "ci/lanes/a.cue": "package lanes\n}"},
			[]string{"ci/lanes/a.cue", "ci/lanes/lanes.cue"}, false},
		{"a foreign schema", map[string]string{"cue.mod/module.cue": module, "ci/lanes/lanes.cue": binding,
			"cue.mod/pkg/github.com/sledtools/pikaci/schema/x.cue": "package schema"},
			[]string{"cue.mod/pkg/github.com/sledtools/pikaci/schema/x.cue"}, false},
		{"a module file that is none", map[string]string{"cue.mod/module.cue": "}", "ci/lanes/lanes.cue": binding}, []string{"cue.mod/module.cue"}, false},
		{"no folder", nil, []string{"ci/lanes"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for name, content := range tt.files {
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, names, err := compiler.LoadLooking("ci/lanes", compiler.DefaultBudget())
			if (err == nil) != tt.good {
				t.Error(err)
			}
			for _, want := range tt.want {
				if !slices.Contains(names, want) {
					t.Errorf("%s is not among %q", want, names)
				}
			}
		})
	}
}
