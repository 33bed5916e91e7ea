package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/cmd/pikaci/internal/starter"
	"github.com/sledtools/pikaci/compiler"
)

func initCommand() command {
	return command{
		name:    "init",
		args:    "[DIR] [flags]",
		summary: "set up a repository with a first lane",
		about: `init writes what a repository of lanes begins with: the file that binds lanes to
the schema, a first lane, the schema itself (for cue and editors), a hook for
git and one for the pre-commit program. DIR is the root of the repository.

It asks nothing and overwrites nothing: what is there is kept, and named. The
names of the files that it wrote are printed.`,
		examples: []string{
			"pikaci init                       # here",
			"pikaci init --lanes ci/lanes      # lanes in another folder",
			"git config core.hooksPath .githooks   # afterwards: turn the hook on",
		},
		flags: func(set *pflag.FlagSet) runner {
			lanes := set.String("lanes", "lanes", "`DIR` folder for the lane files, in the repository (default lanes)")
			return func(ctx context.Context, s *session, args []string) error {
				return runInit(ctx, s, *lanes, args)
			}
		},
	}
}

func runInit(ctx context.Context, s *session, lanes string, args []string) error {
	dir := "."
	switch {
	case len(args) > 1:
		return usage("", "init takes one folder, and %q is given too", args[1])
	case len(args) == 1:
		dir = args[0]
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return usage("name a folder that is there: the root of the repository", "%s is not a folder", dir)
	}
	lanes = filepath.ToSlash(filepath.Clean(lanes))
	// The name stands in a shell command and a pattern of the hooks.
	if !filepath.IsLocal(lanes) || !regexp.MustCompile(`^[A-Za-z0-9_./-]+$`).MatchString(lanes) || lanes == "." {
		return usage("", "--lanes can't be %q: want a folder inside the repository, of letters, digits, dots, dashes and underscores", lanes)
	}
	files, err := startingFiles(s, dir, lanes)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := s.create(f); err != nil {
			return err
		}
	}
	// What was kept may not fit: it is told of like any mistake.
	_, err = awaited(ctx, func() (*compiler.Catalogue, error) { return compiler.Load(filepath.Join(dir, lanes)) })
	return err
}

// startingFiles are the files to write, with paths from the working directory.
func startingFiles(s *session, dir, lanes string) ([]starter.File, error) {
	var all []starter.File
	switch above, err := moduleAbove(dir); {
	case err != nil:
		return nil, err
	case above == "":
		files, err := starter.Module()
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	case above != ".":
		return nil, usage(fmt.Sprintf("run it there: pikaci init --lanes %s %s",
			shellQuoted(filepath.ToSlash(filepath.Join(climbed(dir, above), lanes))), shellQuoted(filepath.Join(dir, above))),
			"%s lies in the CUE module of %s", dir, filepath.Join(dir, above))
	}
	schema, err := compiler.Vendored(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(schema)) {
		all = append(all, starter.File{Path: name, Content: schema[name], Mode: 0o644})
	}
	if there, _ := fs.Glob(os.DirFS(filepath.Join(dir, lanes)), "*.cue"); len(there) > 0 {
		s.note("kept %s, which has lane files", filepath.Join(dir, lanes))
	} else {
		files, err := starter.Lanes(lanes)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	hooks, err := starter.Hooks(lanes)
	all = append(all, hooks...)
	for i := range all {
		all[i].Path = filepath.Join(dir, filepath.FromSlash(all[i].Path))
	}
	return all, err
}

// moduleAbove is the way from dir up to the root of the CUE module that it lies
// in: "." where it is the root, empty where there is no module.
func moduleAbove(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for way := "."; ; way = filepath.Join(way, "..") {
		if _, err := os.Stat(filepath.Join(abs, filepath.FromSlash(starter.ModuleFile))); err == nil {
			return way, nil
		}
		if abs == filepath.Dir(abs) {
			return "", nil
		}
		abs = filepath.Dir(abs)
	}
}

// climbed is the way back down from above to dir.
func climbed(dir, above string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	rel, err := filepath.Rel(filepath.Join(abs, above), abs)
	if err != nil {
		return dir
	}
	return rel
}

// create writes a file that is not there yet, and prints its name.
func (s *session) create(f starter.File) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return fmt.Errorf("create %s: %w", filepath.Dir(f.Path), bare(err))
	}
	// Exclusive: a file that is there is kept, be it a link that leads nowhere.
	out, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode)
	switch {
	case errors.Is(err, fs.ErrExist):
		if have, err := os.ReadFile(f.Path); err != nil || string(have) != string(f.Content) {
			s.note("kept %s", f.Path)
		}
		return nil
	case err != nil:
		return fmt.Errorf("create %s: %w", f.Path, bare(err))
	}
	_, err = out.Write(f.Content)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write %s: %w", f.Path, bare(err))
	}
	_, err = io.WriteString(s.stdout, printable(f.Path)+"\n")
	return err
}
