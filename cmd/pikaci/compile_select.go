package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sledtools/pikaci/cmd/pikaci/internal/changes"
	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/schema/plan"
)

// maxPathList is the longest list of changed paths that stdin may hold, in
// bytes.
const maxPathList = 64 << 20

// validate refuses flags that don't go together, before anything is read.
func (f *compileFlags) validate(lanes []string) error {
	if err := noneEmpty(f.set); err != nil {
		return err
	}
	if err := oneOf("--format", f.format, []string{formatPlan, formatRunPlanV1}); err != nil {
		return err
	}
	if f.trigger != "" {
		if err := oneOf("--trigger", f.trigger, []string{string(plan.Branch), string(plan.Nightly)}); err != nil {
			return err
		}
	}
	if f.json && !f.list {
		return usage("", "--json is for --list only")
	}
	if f.watch {
		if err := f.validateWatch(); err != nil {
			return err
		}
	}
	if f.list {
		return f.validateList(lanes)
	}
	if f.check != "" && f.check != checkAlone {
		if err := exclude(f.set, "check", "output"); err != nil {
			return err
		}
	}
	if f.trigger != "" && len(lanes) > 0 {
		return usage("a lane that is named is taken whatever its trigger",
			"--trigger and LANE exclude each other")
	}
	if f.trigger == string(plan.Nightly) && f.byPaths() {
		return usage("changed paths choose branch lanes only",
			"--trigger nightly and %s exclude each other", f.pathFlag())
	}
	return f.validateRunPlanV1(lanes)
}

func (f *compileFlags) validateList(lanes []string) error {
	if len(lanes) > 0 {
		return usage("", "--list and LANE exclude each other: it shows all lanes")
	}
	for _, other := range []string{
		"job", "trigger", "changed-since", "changed-path", "format", "run-dir", "run-id", "created-at", "output", "check", "tree", "check-installables",
	} {
		if err := exclude(f.set, "list", other); err != nil {
			return err
		}
	}
	return nil
}

// validateRunPlanV1 demands what the older format needs, and refuses it
// elsewhere.
func (f *compileFlags) validateRunPlanV1(lanes []string) error {
	for _, name := range []string{"run-dir", "run-id", "created-at"} {
		switch given := f.set.Lookup(name).Value.String() != ""; {
		case f.format == formatRunPlanV1 && !given:
			return usage("--format run-plan-v1 needs --run-dir, --run-id and --created-at", "--%s is missing", name)
		case f.format != formatRunPlanV1 && f.set.Changed(name):
			return usage("", "--%s is for --format run-plan-v1 only", name)
		}
	}
	switch {
	case f.format != formatRunPlanV1:
		return nil
	case f.byPaths():
		return usage("", "--format run-plan-v1 and %s exclude each other", f.pathFlag())
	case len(lanes) != 1:
		return usage("name the lane or its target: pikaci compile LANE --format run-plan-v1 ...",
			"--format run-plan-v1 is of exactly one LANE, and %d are given", len(lanes))
	}
	return nil
}

func (f *compileFlags) byPaths() bool { return f.pathFlag() != "" }

// pathFlag names the flag that gives changed paths; empty where none does.
func (f *compileFlags) pathFlag() string {
	for _, name := range []string{"changed-since", "changed-path"} {
		if f.set.Changed(name) {
			return "--" + name
		}
	}
	return ""
}

// selection turns the flags into what the compiler takes.
func (f *compileFlags) selection(ctx context.Context, s *session, lanes []string) (compiler.Select, error) {
	sel := compiler.Select{Lanes: lanes, Job: f.job, Trigger: plan.Trigger(f.trigger), ByPaths: f.byPaths()}
	if f.changedSince != "" {
		paths, err := changes.Since(ctx, s.env, f.lanes, f.changedSince)
		if err != nil {
			return sel, changesError(err, "--changed-since: ")
		}
		sel.ChangedPaths = paths
	}
	given := f.changedPaths
	if i := slices.Index(given, "-"); i >= 0 {
		list, err := awaited(ctx, func() ([]string, error) { return readList(s.stdin) })
		if err != nil {
			return sel, err
		}
		given = append(slices.DeleteFunc(slices.Clone(given), func(p string) bool { return p == "-" }), list...)
	}
	for _, p := range given {
		clean, err := changes.Clean(p)
		if err != nil {
			return sel, changesError(err, "--changed-path: ")
		}
		sel.ChangedPaths = append(sel.ChangedPaths, clean)
	}
	return sel, nil
}

func readList(r io.Reader) ([]string, error) {
	var b strings.Builder
	n, err := io.Copy(&b, io.LimitReader(r, maxPathList+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read changed paths from stdin: %w", err)
	case n > maxPathList:
		return nil, usage("", "the list of changed paths on stdin is over %d MiB", maxPathList>>20)
	}
	return changes.ParseList(b.String()), nil
}

// changesError makes a question that git or the path itself could not answer
// one of the command line.
func changesError(err error, flag string) error {
	var e *changes.Error
	if errors.As(err, &e) {
		return usage(e.Hint, "%s%s", flag, e.Message)
	}
	return err
}
