package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
)

func fmtCommand() command {
	return command{
		name:    "fmt",
		args:    "[FILE|DIR...] [flags]",
		summary: "format lane files",
		about: `fmt writes lane files as CUE's own formatter does, and leaves alone those that
are written so. Without a FILE or DIR it takes the folder of the lane files; of
a DIR it takes the CUE files in it, not those below. - stands for stdin and
stdout.`,
		examples: []string{
			"pikaci fmt                       # all lane files",
			"pikaci fmt --check               # list those that are not formatted, exit 3",
			"pikaci fmt lanes/fixture.cue     # one file",
			"pikaci fmt -                     # for editors: stdin to stdout",
		},
		flags: func(set *pflag.FlagSet) runner {
			lanes := set.String("lanes", "lanes", "`DIR` folder of the lane files (default ./lanes)")
			check := set.Bool("check", false, "write nothing: print the names of files that are not formatted\n(exit 3 if there are any)")
			return func(ctx context.Context, s *session, args []string) error {
				if *lanes == "" {
					return usage("", "--lanes is empty")
				}
				if len(args) == 0 {
					args = []string{*lanes}
				}
				return runFmt(ctx, s, *check, args)
			}
		},
	}
}

// runFmt formats all files before it writes one: a mistake in the last must not
// leave half of them changed.
func runFmt(ctx context.Context, s *session, check bool, args []string) error {
	files, err := cueFiles(args)
	if err != nil {
		return err
	}
	var found compiler.Diagnostics
	changed := map[string][]byte{}
	for _, name := range files {
		content, err := awaited(ctx, func() ([]byte, error) { return readCUE(name, s.stdin) })
		if err != nil {
			return err
		}
		b, err := compiler.Format(shownCUE(name), content)
		if bad, ok := err.(compiler.Diagnostics); ok {
			found = append(found, bad...)
			continue
		}
		if err != nil {
			return fmt.Errorf("format %s: %w", name, err)
		}
		if name == "-" && !check {
			_, err := s.stdout.Write(b)
			return err
		}
		if !bytes.Equal(b, content) {
			changed[name] = b
		}
	}
	if len(found) > 0 {
		return found
	}
	return applyFmt(s, check, files, changed)
}

func applyFmt(s *session, check bool, files []string, changed map[string][]byte) error {
	for _, name := range files {
		b, ok := changed[name]
		switch {
		case !ok:
		case check:
			if _, err := io.WriteString(s.stdout, printable(shownCUE(name))+"\n"); err != nil {
				return err
			}
		default:
			if err := writeFile(name, b); err != nil {
				return err
			}
		}
	}
	switch {
	case !check || len(changed) == 0:
		return nil
	case len(changed) == 1:
		return invalid("format it: pikaci fmt", "one file is not formatted")
	}
	return invalid("format them: pikaci fmt", "%d files are not formatted", len(changed))
}

func shownCUE(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}

func readCUE(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, bare(err))
	}
	return b, nil
}

// cueFiles are the files that the arguments name, each once.
func cueFiles(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		if arg == "-" {
			if len(args) > 1 {
				return nil, usage("", "- stands alone: no other file goes with it")
			}
			return args, nil
		}
		info, err := os.Stat(arg)
		switch {
		case err != nil:
			return nil, usage("", "%s: %v", arg, bare(err))
		case !info.IsDir():
			if !strings.HasSuffix(arg, ".cue") {
				return nil, usage("", "%s is not a CUE file", arg)
			}
			out = append(out, arg)
			continue
		}
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", arg, bare(err))
		}
		for _, e := range entries {
			if name := e.Name(); strings.HasSuffix(name, ".cue") && name[0] != '.' && !e.IsDir() {
				out = append(out, filepath.Join(arg, name))
			}
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) == 0 {
		return nil, usage("", "no CUE file in %s", strings.Join(args, ", "))
	}
	return out, nil
}
