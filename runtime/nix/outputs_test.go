package nix_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/nix"
)

// ofEveryKind has outputs under all that may go right and wrong. None of the
// builders exists: nothing is built.
const ofEveryKind = `{
  outputs = { self }: let
    d = name: builtins.derivation { inherit name; system = "x86_64-linux"; builder = "/none"; };
  in {
    ci.x86_64-linux = { deps = d "deps"; build = d "build"; set = { a = 1; }; text = "t"; bad = throw "why not"; list = [ ]; };
    packages.x86_64-linux = { hello = d "hello"; ci = d "shadow"; };
    packages.aarch64-linux = { hello = d "hello"; ci = d "shadow"; };
  };
}
`

func folder(t *testing.T, flake string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "flake.nix"), []byte(flake), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOutputs(t *testing.T) {
	dir := folder(t, ofEveryKind)
	siblings := []string{"bad", "build", "deps", "list", "set", "text"}
	want := []nix.Output{
		{Name: "ci.x86_64-linux.deps", Kind: nix.Derivation},
		{Name: "hello", Kind: nix.Derivation},
		{Name: "packages.x86_64-linux.hello", Kind: nix.Derivation},
		{Name: "ci", Kind: nix.Derivation}, // the package stands before the output
		{Name: "ci.x86_64-linux", Kind: "set"},
		{Name: "ci.x86_64-linux.set", Kind: "set"},
		{Name: "ci.x86_64-linux.set.a", Kind: "int"},
		{Name: "ci.x86_64-linux.text", Kind: "string"},
		{Name: "ci.x86_64-linux.list", Kind: "list"},
		{Name: "ci.x86_64-linux.bad", Kind: nix.Throws},
		{Name: "ci.x86_64-linux.dep", Kind: nix.Missing, Parent: "ci.x86_64-linux.", Siblings: siblings},
		{Name: "ci.x86-64-linux.deps", Kind: nix.Missing, Parent: "ci.", Siblings: []string{"x86_64-linux"}},
		{Name: "helo", Kind: nix.Missing, Siblings: []string{"ci", "hello", "ci", "packages"}},
		{Name: "${builtins.abort}\"\\", Kind: nix.Missing, Siblings: []string{"ci", "hello", "ci", "packages"}},
	}
	var names []string
	for _, o := range want {
		names = append(names, o.Name)
	}
	got, err := nix.Outputs(t.Context(), nix.Options{Settings: settings}, dir, names)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the folder holds %v now", left)
	}
}

func TestOutputsOfAFlakeThatIsNone(t *testing.T) {
	for _, tt := range []struct{ name, flake, want string }{
		{"syntax", "{", "syntax error"},
		{"abort", `{ outputs = { self }: { a = builtins.abort "enough"; }; }`, "enough"},
		{"an input that is not locked", `{ inputs.other.url = "path:/nowhere"; outputs = { self, other }: { a = other; }; }`, ""},
		{"the environment", `{ outputs = { self }: { a = import (builtins.getEnv "HOME"); }; }`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := nix.Outputs(t.Context(), nix.Options{Settings: settings}, folder(t, tt.flake), []string{"a"})
			var e *nix.EvalError
			if !errors.As(err, &e) || !strings.Contains(e.Reason, tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
	_, err := nix.Outputs(t.Context(), nix.Options{Program: "nosuchnix"}, t.TempDir(), []string{"a"})
	var missing *nix.MissingError
	if !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}
