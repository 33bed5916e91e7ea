package doctest

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// documents are the Markdown files of the repository and their contents.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	walk(t, ".md", func(name, content string) { docs[name] = content })
	if len(docs) < 5 {
		t.Fatalf("found only %d documents", len(docs))
	}
	return docs
}

// walk gives each file of the repository whose name ends so, by its path from
// the root.
func walk(t *testing.T, end string, each func(name, content string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != root && (name[0] == '.' || name == "testdata" || name == "bin" || name == "node_modules"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, end):
			return nil
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(root, path)
		each(rel, string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)

// TestLinks checks that relative links lead to files.
func TestLinks(t *testing.T) {
	for name, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: link to %s: no such file", name, m[1])
			}
		}
	}
}

var (
	// inCode is a path of the repository as documents write it.
	inCode = regexp.MustCompile("`((?:cmd|compiler|docs|internal|lanes|runtime|schema|scripts|\\.ci)/[A-Za-z0-9_./-]+)`")
	// inExamples are paths of examples.
	inExamples = []string{"lanes/greeting.cue"}
	// pending are packages that have a rule and are not there yet.
	pending  = []string{"runtime/runtimetest"}
	testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*|[a-z0-9-]+\\.txtar)`")
)

// TestPaths checks that files and folders that are named in code are there.
func TestPaths(t *testing.T) {
	for name, text := range documents(t) {
		for _, m := range inCode.FindAllStringSubmatch(text, -1) {
			path := strings.TrimSuffix(strings.TrimSuffix(m[1], "/..."), "/")
			if _, err := os.Stat(filepath.Join(root, path)); err != nil && !slices.Contains(slices.Concat(inExamples, pending), path) {
				t.Errorf("%s: `%s`: no such file", name, m[1])
			}
		}
	}
}

// TestTestNames checks that tests that are named are there.
func TestTestNames(t *testing.T) {
	var all strings.Builder
	walk(t, "_test.go", func(_, content string) { all.WriteString(content) })
	for name, text := range documents(t) {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if strings.HasSuffix(m[1], ".txtar") {
				found, _ := filepath.Glob(root + "/*/*/testdata/script/" + m[1])
				if len(found) == 0 {
					t.Errorf("%s: no script %s", name, m[1])
				}
			} else if !strings.Contains(all.String(), "func "+m[1]+"(") {
				t.Errorf("%s: no test %s", name, m[1])
			}
		}
	}
}

// TestPackageComments checks that every package says what it does.
func TestPackageComments(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}}|{{.Doc}}", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if path, doc, _ := strings.Cut(strings.TrimSpace(line), "|"); doc == "" {
			t.Errorf("package %s has no comment", path)
		}
	}
}

// TestDecisionsAreListed checks that the list of decisions has every page.
func TestDecisionsAreListed(t *testing.T) {
	list := read(t, "docs/decisions/README.md")
	for name := range documents(t) {
		if filepath.Dir(name) == "docs/decisions" && !strings.Contains(list+"(README.md)", "("+filepath.Base(name)+")") {
			t.Errorf("docs/decisions/README.md does not list %s", name)
		}
	}
}
