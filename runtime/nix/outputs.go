package nix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// Output is what a flake has under a name that an installable asks it for.
type Output struct {
	Name string `json:"name"`
	// Kind is Derivation, Missing, Throws, or the Nix type of what is there
	// instead: "set", "list", "lambda" and so on.
	Kind string `json:"kind"`
	// Parent is how much of a missing name is there, with a dot behind it, and
	// Siblings what follows it; names of the flake's packages among them.
	Parent   string   `json:"parent,omitempty"`
	Siblings []string `json:"siblings,omitempty"`
}

// The kinds of outputs that are not named by Nix itself.
const (
	Derivation = "derivation"
	Missing    = "missing"
	Throws     = "throws"
)

// EvalError means that Nix could not evaluate a flake.
type EvalError struct{ Reason string }

// Error gives Nix's own last error.
func (e *EvalError) Error() string { return "Nix can't evaluate the flake: " + e.Reason }

// Outputs asks what the flake of a folder has under the names, as nix build
// would look them up. It evaluates once for all of them, as purely as a build
// does, builds nothing and asks no network: inputs must be locked by flake.lock
// and be in the store already. So the answer hangs on the folder's content, the
// names and the Nix alone.
func Outputs(ctx context.Context, o Options, dir string, names []string) ([]Output, error) {
	x := New(o)
	if err := x.Preflight(); err != nil {
		return nil, err
	}
	// A folder is not pure by its path, only by its content's hash; this adds it
	// to the store, too.
	answer, err := x.ask(ctx, dir, "flake", "metadata", "--json", "--no-write-lock-file", "--offline", "path:"+dir)
	if err != nil {
		return nil, err
	}
	var locked struct{ URL string }
	if err := json.Unmarshal(answer, &locked); err != nil || locked.URL == "" {
		return nil, fmt.Errorf("read what nix flake metadata says: %q: %w", answer, err)
	}
	answer, err = x.ask(ctx, dir, "eval", "--json", "--offline", "--option", "allow-import-from-derivation", "false",
		"--expr", question(locked.URL, names))
	if err != nil {
		return nil, err
	}
	var found [][]finding
	if err := json.Unmarshal(answer, &found); err != nil || len(found) != len(names) {
		return nil, fmt.Errorf("read what nix eval says: %q: %w", answer, err)
	}
	outputs := make([]Output, len(names))
	for i, name := range names {
		outputs[i] = judge(name, found[i])
	}
	return outputs, nil
}

// ask runs nix and gives its stdout.
func (x *Executor) ask(ctx context.Context, dir string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	last := &lastError{next: io.Discard}
	err := command(ctx, dir, x.base(args...), &out, last)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return out.Bytes(), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &exit) && last.last != "":
		return nil, &EvalError{strings.TrimSpace(strings.TrimPrefix(last.last, "error:"))}
	}
	return nil, fmt.Errorf("run nix %s: %w", args[0], err)
}

// finding is what is under a name in one of the places where nix build looks.
type finding struct {
	// Depth is how many parts of the name are there; below 0 where not even
	// the place is.
	Depth    int
	Kind     string
	Siblings []string
}

// judge takes the first place that has the name, as nix build does; else the one
// that has most of it.
func judge(name string, found []finding) Output {
	if i := slices.IndexFunc(found, func(f finding) bool { return f.Kind != Missing }); i >= 0 {
		return Output{Name: name, Kind: found[i].Kind}
	}
	deepest := -1
	var siblings []string
	for _, f := range found {
		switch {
		case f.Depth > deepest:
			deepest, siblings = f.Depth, f.Siblings
		case f.Depth == deepest:
			siblings = slices.Concat(siblings, f.Siblings)
		}
	}
	parts := strings.Split(name, ".")
	parent := strings.Join(parts[:max(deepest, 0)], ".")
	if parent != "" {
		parent += "."
	}
	return Output{Name: name, Kind: Missing, Parent: parent, Siblings: siblings}
}

// question is a Nix expression: a list for each name, of what is under it in each
// of the places where nix build looks, in its order. What fails in a way that Nix
// can't catch fails the whole.
func question(url string, names []string) string {
	asked, _ := json.Marshal(names) // strings never fail
	return places(url) + `
  kind = at:
    if builtins.isAttrs at
    then (if (at.type or null) == "derivation" then "` + Derivation + `" else "set")
    else builtins.typeOf at;
  walk = depth: path: at:
    if path == [ ] then { inherit depth; kind = kind at; siblings = [ ]; }
    else if builtins.isAttrs at && builtins.hasAttr (builtins.head path) at
    then walk (depth + 1) (builtins.tail path) (builtins.getAttr (builtins.head path) at)
    else { inherit depth; kind = "` + Missing + `"; siblings = if builtins.isAttrs at && (at.type or null) != "derivation" then builtins.attrNames at else [ ]; };
  safely = found: let tried = builtins.tryEval (builtins.deepSeq found found); in
    if tried.success then tried.value else { depth = 0; kind = "` + Throws + `"; siblings = [ ]; };
in
map (name: map (place: safely (walk (0 - builtins.length place) (place ++ parts name) outputs)) places)
  (builtins.fromJSON ` + nixString(string(asked)) + `)
`
}

// places begins a Nix expression: what a flake has, the places where nix build
// looks a name up, in its order, and a name's parts.
func places(url string) string {
	return `
let
  outputs = (builtins.getFlake ` + nixString(url) + `).outputs;
  system = ` + nixString(system()) + `;
  places = [ [ "packages" system ] [ "legacyPackages" system ] [ ] ];
  parts = name: builtins.filter builtins.isString (builtins.split "\\." name);`
}

// nixString is a text as a literal of Nix.
func nixString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

// system is the Nix name of this machine, whose packages nix build looks among.
func system() string {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return arch + "-" + runtime.GOOS
}
