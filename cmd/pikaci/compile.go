package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/schema/plan"
)

// The formats that compile writes.
const (
	formatPlan      = "plan"
	formatRunPlanV1 = "run-plan-v1"
)

// checkAlone is the value of --check without a file. No file has this name.
const checkAlone = "\x00"

// compileFlags are compile's flags as given.
type compileFlags struct {
	set *pflag.FlagSet

	lanes        string
	job          string
	trigger      string
	changedSince string
	changedPaths []string
	format       string
	v1           compiler.RunPlanV1
	output       string
	check        string
	list         bool
	json         bool
	errorFormat  *string
	budget       *budgetFlags
	tree         string
	watch        bool
	noCache      bool
	installables bool
}

func compileCommand() command {
	return command{
		name:    "compile",
		args:    "[LANE...] [flags]",
		summary: "compile lane files to a plan",
		about: `compile reads the lane files of a folder, checks them, and writes the plan of
the lanes that are chosen. LANE is an id, a title or a target id; without one,
all lanes of the trigger are chosen. Changed paths narrow that down to the
branch lanes whose globs match one.

The plan is a function of lane files, schema and selection: the same anywhere.`,
		examples: []string{
			"pikaci compile                                 # all branch lanes, to stdout",
			"pikaci compile check-fixture -o plan.json      # one lane, into a file",
			"pikaci compile --changed-since origin/main     # what this branch touches",
			"git diff -z --name-only main | pikaci compile --changed-path -",
			"pikaci compile --check                         # are the lane files valid?",
			"pikaci compile --check=plan.json               # is the committed plan up to date?",
			"pikaci compile --watch                         # again on every save",
			"pikaci compile --list                          # lanes, targets, jobs",
		},
		flags: func(set *pflag.FlagSet) runner {
			f := declareCompile(set)
			return func(ctx context.Context, s *session, args []string) error {
				return runCompile(ctx, s, f, args)
			}
		},
	}
}

func declareCompile(set *pflag.FlagSet) *compileFlags {
	f := &compileFlags{set: set}
	set.StringVar(&f.lanes, "lanes", "lanes", "`DIR` folder of the lane files (default ./lanes)")
	set.StringVar(&f.job, "job", "", "`ID` take this job alone, and those that it needs")
	set.StringVar(&f.trigger, "trigger", "", "`branch|nightly` take the lanes of this trigger (default branch)")
	set.StringVar(&f.changedSince, "changed-since", "",
		"`REF` choose by what changed since the merge base of REF and HEAD,\nin the working tree, untracked files too")
	set.StringArrayVar(&f.changedPaths, "changed-path", nil,
		"`P` choose by this changed path, relative to the repository's root\n(repeatable; - reads a list on stdin, by lines or NUL characters)")
	set.StringVar(&f.format, "format", formatPlan, "`plan|run-plan-v1` format to write; the latter is of exactly one LANE (default plan)")
	set.StringVar(&f.v1.RunDir, "run-dir", "", "`DIR` the run's directory, for run-plan-v1")
	set.StringVar(&f.v1.RunID, "run-id", "", "`ID` the run's id, for run-plan-v1")
	set.StringVar(&f.v1.CreatedAt, "created-at", "", "`TIME` the run's time, for run-plan-v1")
	set.StringVarP(&f.output, "output", "o", "", "`FILE` write here, whole or not at all; left alone if it is equal (default stdout)")
	set.StringVar(&f.check, "check", "",
		"`[FILE]` write nothing: is FILE, or that of -o, what would be written?\n(exit 3 if not; without any file: are the lane files valid?)")
	set.Lookup("check").NoOptDefVal = checkAlone
	set.BoolVar(&f.list, "list", false, "print lanes, targets, jobs and titles; no plan")
	set.BoolVar(&f.json, "json", false, "print the list as JSON (with --list)")
	set.StringVar(&f.tree, "tree", "", "`DIR` source tree to hold the lanes' paths against: warn of globs that match\nnothing in it (default: not checked)")
	set.BoolVar(&f.watch, "watch", false, "compile again on every save, until Ctrl-C: show mistakes, and what changed in\nthe graph since it was right the last time (the plan is written with -o only)")
	set.BoolVar(&f.noCache, "no-cache", false, "evaluate the lane files even if they are the same as before")
	set.BoolVar(&f.installables, "check-installables", false, "ask Nix whether the flake of the source tree (--tree, else the lanes' CUE module)\nhas the outputs that payloads name; nothing is built, answers are cached")
	f.errorFormat = declareErrorFormat(set)
	f.budget = declareBudget(set)
	return f
}

func runCompile(ctx context.Context, s *session, f *compileFlags, args []string) error {
	paceCollector()
	if err := s.printErrorsAs(*f.errorFormat); err != nil {
		return err
	}
	args = f.fileOfCheck(args)
	if err := f.validate(args); err != nil {
		return err
	}
	budget, err := f.budget.budget()
	if err != nil {
		return err
	}
	if f.watch {
		return runWatch(ctx, s, f, args)
	}
	if f.list {
		catalogue, err := f.load(ctx, s, budget)
		if err != nil {
			return err
		}
		return printLanes(s.stdout, catalogue.Lanes(), f.json)
	}
	out, err := f.compile(ctx, s, budget, args)
	if err != nil {
		return err
	}
	err = f.write(s, out, args)
	out.Keep()
	return err
}

// load reads the lane files, and tells a watch what the answer hangs on.
func (f *compileFlags) load(ctx context.Context, s *session, b compiler.Budget) (*compiler.Catalogue, error) {
	return awaited(ctx, func() (*compiler.Catalogue, error) {
		c, names, err := compiler.LoadLooking(f.lanes, b)
		if to, watched := s.lookupEnv(looksFile); watched {
			if err := os.WriteFile(to, []byte(strings.Join(names, "\x00")), 0o600); err != nil {
				return nil, err
			}
		}
		return c, err
	})
}

// compile gives the plan, and notes the warnings.
func (f *compileFlags) compile(ctx context.Context, s *session, b compiler.Budget, args []string) (*compiler.Compiled, error) {
	sel, unselected := f.selection(ctx, s, args)
	if _, watched := s.lookupEnv(looksFile); unselected == nil && f.tree == "" && !f.installables && !watched {
		var cache *compiler.Cache
		if !f.noCache {
			cache = s.openCache()
		}
		out, err := awaited(ctx, func() (*compiler.Compiled, error) { return cache.Compile(f.lanes, b, sel) })
		if out != nil {
			s.warnings = out.Warnings
		}
		return out, err
	}
	// What is wrong with the lane files is told before what is wrong with the
	// selection, and whether globs match or outputs are there needs more than a
	// plan.
	catalogue, err := f.load(ctx, s, b)
	if err != nil {
		return nil, err
	}
	if s.warnings, err = f.warnings(ctx, catalogue); err != nil {
		return nil, err
	}
	if unselected != nil {
		return nil, unselected
	}
	out, err := awaited(ctx, func() (*compiler.Compiled, error) { return catalogue.Compiled(sel) })
	if err != nil || !f.installables {
		return out, err
	}
	p, err := out.Plan()
	if err != nil {
		return nil, err
	}
	return out, f.checkInstallables(ctx, catalogue, p)
}

// write says why lanes were chosen, and writes the plan to where it belongs or
// compares it with what is there.
func (f *compileFlags) write(s *session, out *compiler.Compiled, args []string) error {
	if f.byPaths() || !out.Chosen {
		p, err := out.Plan()
		if err != nil {
			return err
		}
		s.explain(p, f.validatesOnly())
	}
	b := out.Encoded
	if f.format == formatRunPlanV1 {
		p, err := out.Plan()
		if err != nil {
			return err
		}
		if b, err = compiler.WriteRunPlanV1(p, f.v1); err != nil {
			return err
		}
	}
	switch {
	case f.validatesOnly():
		return nil
	case f.checks():
		return checkFile(f.checkedFile(), f.format, out.Plan, b, f.rewrite(args))
	case f.output == "" || f.output == "-":
		_, err := s.stdout.Write(b)
		return err
	}
	return writeFile(f.output, b)
}

// awaited waits for work that can't be cancelled, unless the context ends
// first: an evaluation or a silent stdin may take long, and a signal must end
// it all the same. The work is then left to the end of the process, which
// follows.
func awaited[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := work()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// explain says of every lane why it was or was not chosen, where changed paths
// decided or nothing was chosen.
func (s *session) explain(p *plan.Plan, silent bool) {
	chosen, width := 0, 0
	for _, l := range p.Lanes {
		if l.Chosen {
			chosen++
		}
		width = max(width, len(l.ID))
	}
	if s.oneDocument() || !p.Selection.ByPaths && (chosen > 0 || silent) {
		return
	}
	for _, l := range p.Lanes {
		word := "skipped"
		if l.Chosen {
			word = "chosen "
		}
		s.note("%s  %-*s  %s", word, width, l.ID, oneLine(l.Reason))
	}
	if chosen == 0 {
		s.note("pikaci: no lane is chosen")
	}
}

// warnings are what was found odd, and is not wrong.
func (f *compileFlags) warnings(ctx context.Context, c *compiler.Catalogue) (compiler.Diagnostics, error) {
	if f.tree == "" {
		return c.Warnings(), nil
	}
	root, err := os.OpenRoot(f.tree)
	if err != nil {
		return nil, usage("", "--tree %s: %v", f.tree, bare(err))
	}
	defer root.Close()
	return awaited(ctx, func() (compiler.Diagnostics, error) {
		return slices.Concat(c.Warnings(), c.Unmatched(root.FS())), nil
	})
}

// checks reports whether a file is compared rather than written.
func (f *compileFlags) checks() bool { return f.check != "" }

// validatesOnly reports whether nothing is compared either.
func (f *compileFlags) validatesOnly() bool { return f.checks() && f.checkedFile() == "" }

// checkedFile is the file to compare; empty where none is known.
func (f *compileFlags) checkedFile() string {
	if f.check != checkAlone {
		return f.check
	}
	return f.output
}

// fileOfCheck takes the file of `--check FILE` out of the arguments: a flag
// whose value may be missing only has one that is joined by =. No id of a lane
// looks like a file.
func (f *compileFlags) fileOfCheck(args []string) []string {
	if f.check != checkAlone || f.output != "" {
		return args
	}
	for i, arg := range args {
		if strings.HasSuffix(arg, ".json") || strings.Contains(arg, "/") {
			f.check = arg
			return append(append([]string(nil), args[:i]...), args[i+1:]...)
		}
	}
	return args
}

// rewrite is the command that writes the file that was checked.
func (f *compileFlags) rewrite(args []string) string {
	words := append([]string{"pikaci", "compile"}, args...)
	f.set.Visit(func(given *pflag.Flag) {
		switch given.Name {
		case "check", "output", "error-format", "max-time", "max-memory", "tree", "no-cache", "check-installables":
		case "changed-path":
			for _, p := range f.changedPaths {
				words = append(words, "--changed-path", p)
			}
		default:
			words = append(words, "--"+given.Name, given.Value.String())
		}
	})
	words = append(words, "-o", f.checkedFile())
	for i, word := range words {
		words[i] = shellQuoted(word)
	}
	return strings.Join(words, " ")
}

// shellQuoted quotes a word where a shell would not leave it alone.
func shellQuoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:@,+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
