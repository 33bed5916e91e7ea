package compiler

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sledtools/pikaci/internal/manylanes"
)

// TestPartsAreTheWhole evaluates packages in parts and as a whole: the lanes
// are the same. Where lanes may refer to one another, there are no parts.
func TestPartsAreTheWhole(t *testing.T) {
	const own = `: _staged & {title: "%[1]s", description: "d", target_id: "t-%[1]s", shared_prepare: {node_prefix: "%[1]s", description: "d"}, ` +
		`payloads: [{role: "workspace-deps", output_name: "a.b"}], jobs: "job-%[1]s": {description: "d", command: [_bin]}}`
	lane := func(id string) string { return fmt.Sprintf("%q"+own, id) }
	named := func(id string) string { return fmt.Sprintf("%s"+own, id) }
	for _, c := range []struct {
		name, more string
		apart      bool
	}{
		{"as they are", "", true},
		{"a pattern for all", "lanes: [string]: system: \"x86_64-linux\"", true},
		{"a pattern that names the lane", "lanes: [ID=_]: incus: image: \"pikaci/\\(ID)\"", true},
		{"lanes in one struct", "lanes: {\n\t" + lane("one") + "\n\n\t// Two.\n\t" + lane("two") + "\n}", true},
		{"a lane twice in a file", "lanes: " + lane("one") + "\nlanes: one: jobs: \"job-one\": timeout_secs: 5", true},
		{"shared fields beside lanes", "import \"strings\"\n_mine: strings.ToUpper(\"x\")\nlanes: " + lane("one") + "\nlanes: one: jobs: \"job-one\": env: MINE: _mine\n_more: \"y\" // here", true},
		{"a let without lanes", "let x = \"x\"\n_y: x", true},
		{"a field like a lane", "_all: one: \"x\"\nlanes: " + named("one") + "\nlanes: " + lane("two") + "\nlanes: two: jobs: \"job-two\": env: ONE: _all.one", true},
		{"comments", "// All.\n\n// Lanes.\nlanes: " + lane("one") + "\n\n// End.", true},

		{"a let beside lanes", "let x = \"x\"\nlanes: " + lane("one") + "\nlanes: one: concurrency_group: _\n_z: x", false},
		{"a field made of lanes", "_titles: [for l in lanes {l.title}]", false},
		{"a lane made of another", "lanes: " + lane("one") + "\nlanes: one: jobs: \"job-one\": env: OTHER: lanes[\"area-00001\"].title", false},
		{"a sibling", "lanes: {\n\t" + named("one") + "\n\t" + lane("two") + "\n\ttwo: jobs: \"job-two\": env: OTHER: one.title\n}", false},
		{"an alias", "X=lanes: _\n_n: X[\"area-00001\"].title", false},
		{"lanes by a comprehension", "for n in [\"one\"] {lanes: (n): jobs: (n): {}}", false},
		{"lanes that are unified", "_none: {}\nlanes: _none & {}", false},
		{"a lane by a computed name", "_n: \"one\"\nlanes: (_n): jobs: {}", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, shape := range []manylanes.Shape{manylanes.FileEach, manylanes.OneFile} {
				sameInParts(t, shape, c.more, c.apart)
			}
		})
	}
}

func sameInParts(t *testing.T, shape manylanes.Shape, more string, apart bool) {
	t.Helper()
	files, err := manylanes.Package(shape, 2*partSize+10)
	if err != nil {
		t.Fatal(err)
	}
	if more != "" {
		files["lanes/more.cue"] = []byte("package lanes\n\n" + more + "\n")
	}
	s, err := openSource(filepath.Join(writeTree(t, files), "lanes"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := s.parse()
	if err != nil {
		t.Fatal(err)
	}
	lanes, roles, _, outcome := s.evaluateParts(parsed)
	sources, err := s.tree.sources()
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome != notTried; got != apart {
		t.Fatalf("%s: taken apart: %v, want %v", shape, got, apart)
	}
	if s, err = openSource(s.tree.disk(s.dir)); err != nil {
		t.Fatal(err)
	}
	if parsed, err = s.parse(); err != nil {
		t.Fatal(err)
	}
	wantLanes, wantRoles, _, wrong := s.evaluateWhole(parsed)
	if wantSources, err := s.tree.sources(); err != nil || outcome == wasRight && !slices.Equal(sources, wantSources) {
		t.Errorf("%s: sources %v, want %v; %v", shape, sources, wantSources, err)
	}
	if (outcome == wasRight) != (wrong == nil) && apart {
		t.Fatalf("%s: in parts it is right: %v; as a whole: %v", shape, outcome == wasRight, wrong)
	}
	if apart && outcome != wasRight {
		t.Fatalf("%s: the package is not right", shape)
	}
	if outcome != wasRight {
		return
	}
	if !sameLanes(lanes, wantLanes) || !slices.Equal(roles, wantRoles) {
		t.Errorf("%s: the lanes are others in parts", shape)
	}
}

func writeTree(t *testing.T, files map[string][]byte) (root string) {
	t.Helper()
	root = t.TempDir()
	writeInto(t, root, files)
	return root
}

func writeInto(t *testing.T, root string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		at := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
