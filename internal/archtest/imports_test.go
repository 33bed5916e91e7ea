package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is what go list says of a package of ours.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestImports(t *testing.T) {
	for _, pkg := range goList(t) {
		for _, problem := range check(rules, pkg) {
			t.Error(problem)
		}
	}
}

// TestCompilerAndRuntimeStayApart holds the table itself against the one rule
// that matters most: neither reaches the other, over any way.
func TestCompilerAndRuntimeStayApart(t *testing.T) {
	imports := map[string][]string{}
	for _, pkg := range goList(t) {
		imports[pkg.ImportPath] = pkg.Imports
	}
	half := func(path string) string {
		rel, ours := strings.CutPrefix(path, module+"/")
		if !ours {
			return "" // the standard library has a runtime of its own
		}
		first, _, _ := strings.Cut(rel, "/")
		return first
	}
	other := map[string]string{"compiler": "runtime", "runtime": "compiler"}
	for path := range imports {
		if foe := other[half(path)]; foe != "" {
			for _, reached := range reach(imports, path) {
				if half(reached) == foe {
					t.Errorf("%s reaches %s: compile and exec share schema/plan and nothing else", path, reached)
				}
			}
		}
	}
}

func reach(imports map[string][]string, from string) []string {
	seen, todo := map[string]bool{from: true}, []string{from}
	for i := 0; i < len(todo); i++ {
		for _, next := range imports[todo[i]] {
			if !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	return todo
}

// seeSources looks at every Go file: go test then knows that its result hangs
// on them, and does not take an earlier one; what go list reads it can't see.
func seeSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "../.." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go"):
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func goList(t *testing.T) []listed {
	t.Helper()
	seeSources(t)
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"/...")
	cmd.Stderr = new(strings.Builder)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, cmd.Stderr)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg listed
		if err := d.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, pkg)
	}
	if len(all) == 0 {
		t.Fatal("go list found no packages")
	}
	return all
}

// check gives what a package imports against its rule.
func check(rules []rule, pkg listed) []string {
	rel := strings.TrimPrefix(pkg.ImportPath, module+"/")
	r := ruleFor(rules, rel)
	if r == nil {
		return []string{fmt.Sprintf("package %s has no rule: add it here and to docs/ARCHITECTURE.md", rel)}
	}
	var problems []string
	for _, path := range pkg.Imports {
		if why := refusal(r, rel, path); why != "" {
			problems = append(problems, fmt.Sprintf("%s imports %s: %s", rel, path, why))
		}
	}
	for _, path := range slices.Concat(pkg.TestImports, pkg.XTestImports) {
		if why := testRefusal(r, rel, path); why != "" {
			problems = append(problems, fmt.Sprintf("a test of %s imports %s: %s", rel, path, why))
		}
	}
	return problems
}

func ruleFor(rules []rule, rel string) *rule {
	var wide *rule
	for i := range rules {
		if rules[i].pkg == rel {
			return &rules[i]
		}
		if strings.HasSuffix(rules[i].pkg, "/...") && matches(rules[i].pkg, rel) {
			wide = &rules[i]
		}
	}
	return wide
}

// refusal says why the code of rel may not import path; empty where it may.
func refusal(r *rule, rel, path string) string {
	for third, owners := range alone {
		if within(third, path) && !slices.ContainsFunc(owners, func(o string) bool { return matches(o, rel) }) {
			return fmt.Sprintf("only %s may", strings.Join(owners, ", "))
		}
	}
	switch {
	case standard(path):
		if slices.Contains(r.not, path) {
			return "its rule says that it does without"
		}
		return ""
	case within(module, path):
		path = strings.TrimPrefix(path, module+"/")
		if slices.ContainsFunc(r.ours, func(o string) bool { return matches(o, path) }) {
			return ""
		}
	case slices.ContainsFunc(r.third, func(t string) bool { return within(t, path) }):
		return ""
	}
	return "its rule does not allow it"
}

// testRefusal is refusal for a test, which may do more.
func testRefusal(r *rule, rel, path string) string {
	ours := strings.TrimPrefix(path, module+"/")
	switch {
	case standard(path), ours == rel:
		return ""
	case slices.ContainsFunc(testOnly, func(t string) bool { return within(t, path) }):
		return ""
	case slices.ContainsFunc(r.tests, func(o string) bool { return matches(o, ours) }):
		return ""
	}
	return refusal(r, rel, path)
}

// standard reports whether path is of the standard library: its first element
// has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// within reports whether path is root or below it.
func within(root, path string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// matches reports whether pattern, which may end in /..., names rel.
func matches(pattern, rel string) bool {
	if wide, ok := strings.CutSuffix(pattern, "/..."); ok {
		return strings.HasPrefix(rel, wide+"/")
	}
	return pattern == rel
}
