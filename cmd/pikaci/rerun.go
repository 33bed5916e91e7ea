package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

func rerunCommand() command {
	return command{
		name:    "rerun",
		args:    "RUN [flags]",
		summary: "carry out the plan of a run again",
		about: "rerun carries out the plan of a run again, as a new run, with a new snapshot of\n" +
			"the same source tree. It takes exec's flags; those of the first run are not\n" +
			"remembered. " + aboutRun,
		examples: []string{
			"pikaci rerun latest",
			"pikaci rerun latest --failed   # the jobs that did not pass, and what they need",
		},
		flags: func(set *pflag.FlagSet) runner {
			failed := set.Bool("failed", false, "only jobs that did not pass, and those that they need")
			flags := &execFlags{set: set}
			flags.register(set)
			return func(ctx context.Context, s *session, args []string) error {
				return runRerun(ctx, s, *flags, *failed, args)
			}
		},
	}
}

func runRerun(ctx context.Context, s *session, flags execFlags, failed bool, args []string) error {
	if err := exclude(flags.set, "failed", "job"); err != nil {
		return err
	}
	dir, err := flags.records.theRun(s, "rerun", args)
	if err != nil {
		return err
	}
	past, err := dir.Read()
	if err != nil {
		return err
	}
	if !flags.set.Changed("source") {
		flags.source = past.Run.SourceRoot
	}
	if flags.stateRoot == "" { // beside the run, wherever that was found
		flags.stateRoot = dir.StateRoot()
	}
	if !flags.set.Changed("prepare-only") {
		flags.prepareOnly = past.Run.PrepareOnly
	}
	if failed {
		jobs := notPassed(past.Run)
		if len(jobs) == 0 {
			s.note("pikaci: nothing to run: every job of run %s passed", past.Run.ID)
			if flags.allowEmpty {
				return nil
			}
			return verdict(runtime.ExitNothing)
		}
		flags.job = strings.Join(jobs, ",")
	}
	return runExec(ctx, s, flags, []string{filepath.Join(dir.Path, "plan.json")})
}

// notPassed are the jobs of a run that have no pass; those of one that was
// killed are among them.
func notPassed(r record.Run) []string {
	var ids []string
	for _, j := range r.Jobs {
		if j.Verdict != event.Passed && j.Verdict != event.Cached {
			ids = append(ids, j.ID)
		}
	}
	return ids
}
