package archtest

import (
	"strings"
	"testing"
)

// TestCheckRefuses holds the checker against imports that must not be: a table
// that lets everything pass would look the same as a clean tree.
func TestCheckRefuses(t *testing.T) {
	in := func(rel string) string { return module + "/" + rel }
	for _, tt := range []struct {
		name string
		pkg  listed
		want string
	}{
		{"no rule", listed{ImportPath: in("util")},
			"package util has no rule: add it here and to docs/ARCHITECTURE.md"},
		{"no rule for a package below one with a rule", listed{ImportPath: in("runtime/zfs")},
			"package runtime/zfs has no rule: add it here and to docs/ARCHITECTURE.md"},
		{"compiler to runtime", listed{ImportPath: in("compiler"), Imports: []string{in("runtime")}},
			"its rule does not allow it"},
		{"runtime to compiler", listed{ImportPath: in("runtime"), Imports: []string{in("compiler")}},
			"its rule does not allow it"},
		{"test of runtime to compiler", listed{ImportPath: in("runtime"), XTestImports: []string{in("compiler")}},
			"a test of runtime imports"},
		{"cue outside the compiler", listed{ImportPath: in("cmd/pikaci"), Imports: []string{"cuelang.org/go/cue"}},
			"only compiler, compiler/... may"},
		{"incus outside its package", listed{ImportPath: in("runtime"), Imports: []string{"github.com/lxc/incus/v6/client"}},
			"only runtime/incus, runtime/incus/... may"},
		{"pflag below cmd", listed{ImportPath: in("cmd/pikaci/internal/changes"), Imports: []string{"github.com/spf13/pflag"}},
			"only cmd/pikaci may"},
		{"plan to a third party", listed{ImportPath: in("schema/plan"), Imports: []string{"golang.org/x/sys/unix"}},
			"its rule does not allow it"},
		{"plan to the file system", listed{ImportPath: in("schema/plan"), Imports: []string{"os"}},
			"its rule says that it does without"},
		{"test library in code", listed{ImportPath: in("runtime"), Imports: []string{"pgregory.net/rapid"}},
			"its rule does not allow it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := check(rules, tt.pkg)
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q, want one problem with %q", got, tt.want)
			}
		})
	}
}

func TestCheckAllows(t *testing.T) {
	in := func(rel string) string { return module + "/" + rel }
	for _, pkg := range []listed{
		{ImportPath: in("compiler/graph"), Imports: []string{"fmt", in("schema/plan"), "cuelang.org/go/cue"}},
		{ImportPath: in("lanes"), XTestImports: []string{in("compiler"), "testing"}},
		{ImportPath: in("schema/plan"), XTestImports: []string{in("schema/plan"), "os", "pgregory.net/rapid"}},
	} {
		if got := check(rules, pkg); len(got) != 0 {
			t.Errorf("%s: %q", pkg.ImportPath, got)
		}
	}
}
