package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/snapshot"
	"github.com/sledtools/pikaci/schema/plan"
)

// checkInstallables asks Nix whether the flake has the outputs that a plan's
// payloads name. It sees what a run would: a filtered copy of the tree.
func (f *compileFlags) checkInstallables(ctx context.Context, c *compiler.Catalogue, p *plan.Plan) error {
	var names []string
	for i := range p.Nodes {
		if b := p.Nodes[i].NixBuild; b != nil {
			names = append(names, b.OutputName)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	names = slices.Compact(names)
	root, err := f.sourceTree()
	if err != nil {
		return err
	}
	outputs, err := outputsOf(ctx, root, p.Snapshot.Exclude, names)
	var eval *nix.EvalError
	switch {
	case errors.As(err, &eval):
		return invalid("see more of it: nix flake show "+shellQuoted("path:"+root), "%s: %v", filepath.Join(root, "flake.nix"), err)
	case err != nil:
		return err
	}
	wrong := map[string]compiler.Finding{}
	for _, o := range outputs {
		if o.Kind != nix.Derivation && o.Kind != "string" && o.Kind != "path" {
			wrong[o.Name] = wrongOutput(root, o)
		}
	}
	if found := c.Outputs(p, wrong); len(found) > 0 {
		return found
	}
	return nil
}

// sourceTree is the tree that holds the flake: the one that was named, or the
// module of the lane files.
func (f *compileFlags) sourceTree() (string, error) {
	root := f.tree
	if root == "" {
		abs, err := filepath.Abs(f.lanes)
		if err != nil {
			return "", err
		}
		module, found := compiler.ModuleRoot(abs)
		if !found {
			return "", usage("name it with --tree DIR", "--check-installables: the lane files lie in no CUE module, whose root would be the source tree")
		}
		root = module
		if cwd, err := os.Getwd(); err == nil {
			if rel, err := filepath.Rel(cwd, root); err == nil && len(rel) < len(root) {
				root = rel
			}
		}
	}
	if _, err := os.Stat(filepath.Join(root, "flake.nix")); errors.Is(err, fs.ErrNotExist) {
		return "", invalid("the payloads are outputs of the source tree's flake; name another tree with --tree DIR",
			"--check-installables: no flake.nix in %s", root)
	}
	return root, nil
}

// outputsOf asks Nix, or the cache what Nix said of the same tree.
func outputsOf(ctx context.Context, root string, exclude, names []string) ([]nix.Output, error) {
	filter := snapshot.Filter{Exclude: exclude}
	tree, err := snapshot.Hash(ctx, root, filter)
	if err != nil {
		return nil, fmt.Errorf("read the source tree %s: %w", root, err)
	}
	if known := newAnswers(root, tree.ContentHash, names).read(); known != nil {
		return known, nil
	}
	dir, err := os.MkdirTemp("", "pikaci-installables-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	copied := filepath.Join(dir, "snapshot")
	if tree, err = snapshot.Take(ctx, root, copied, filter); err != nil {
		return nil, fmt.Errorf("copy the source tree %s: %w", root, err)
	}
	outputs, err := nix.Outputs(ctx, nix.Options{}, copied, names)
	if err == nil {
		newAnswers(root, tree.ContentHash, names).write(outputs)
	}
	return outputs, err
}

// maxSiblings is how many names a hint lists.
const maxSiblings = 8

// wrongOutput says in the lane's terms what a flake has under an output's name.
func wrongOutput(root string, o nix.Output) compiler.Finding {
	switch o.Kind {
	case nix.Missing:
	case nix.Throws:
		return compiler.Finding{Message: fmt.Sprintf("the flake's output %s can't be evaluated", o.Name),
			Hint: "see why: nix eval " + shellQuoted("path:"+root+"#"+o.Name)}
	default:
		return compiler.Finding{Message: fmt.Sprintf("the flake's output %s is a %s, and no derivation that Nix could build", o.Name, o.Kind)}
	}
	wrong := compiler.Finding{Message: fmt.Sprintf("the flake has no output %s", o.Name)}
	first, rest, more := strings.Cut(strings.TrimPrefix(o.Name, o.Parent), ".")
	if more {
		rest = "." + rest
	}
	near := nearest(first, o.Siblings)
	switch {
	case near != "":
		wrong.Hint = didYouMean(o.Parent+near+rest, "")
	case len(o.Siblings) > maxSiblings:
		wrong.Hint = fmt.Sprintf("it has %d others there: %s%s and more", len(o.Siblings), o.Parent, strings.Join(o.Siblings[:maxSiblings], ", "+o.Parent))
	case len(o.Siblings) > 0:
		wrong.Hint = "it has " + o.Parent + strings.Join(o.Siblings, ", "+o.Parent)
	}
	return wrong
}
