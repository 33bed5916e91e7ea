package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/schema/plan"
)

func shellCommand() command {
	return command{
		name:    "shell",
		args:    "RUN JOB [flags] [-- COMMAND...]",
		summary: "open a shell in an instance that exec --keep left",
		about: "shell opens a shell in the instance of a job that exec --keep failed or always\n" +
			"left, as the job's user, in its folder, with its environment but its secrets, and\n" +
			"says how long the instance is kept. COMMAND runs in place of the shell. Without\n" +
			"a terminal, stdin is what the shell runs. " + aboutRun + "\n" +
			"Exit code: the shell's; 4 the instance is gone or can't be reached, 64 usage.",
		examples: []string{
			"pikaci exec plan.json --keep failed",
			"pikaci shell latest unit-tests",
			"pikaci shell latest unit-tests -- cat /tmp/core.txt",
			"pikaci gc --run latest --kept   # removes what was kept",
		},
		flags: func(set *pflag.FlagSet) runner {
			var r records
			socket := set.String("incus-socket", "", "`PATH` socket of the Incus server (default its usual place)")
			r.register(set)
			return func(ctx context.Context, s *session, args []string) error {
				if err := noneEmpty(set); err != nil {
					return err
				}
				var command []string
				if at := set.ArgsLenAtDash(); at >= 0 {
					args, command = args[:at], args[at:]
				}
				if len(args) != 2 {
					return usage("pikaci shell latest unit-tests", "shell takes a run and a job, and %d are given", len(args))
				}
				return runShell(ctx, s, &r, *socket, args[0], args[1], command)
			}
		},
	}
}

func runShell(ctx context.Context, s *session, r *records, socket, run, job string, command []string) error {
	_, runner, err := r.root(s)
	if err != nil {
		return err
	}
	dir, err := r.find(s, run)
	if err != nil {
		return err
	}
	kept, j, err := keptJob(dir, job)
	if err != nil {
		return err
	}
	if socket == "" {
		socket = runner.Incus.Socket
	}
	x, err := incus.New(ctx, incus.Options{Socket: socket, Project: kept.Project})
	if err != nil {
		return err
	}
	s.note("pikaci: %s of job %s, %s", kept.Name, kept.Job, report.KeptFor(kept.Until, time.Now()))
	if len(command) == 0 {
		command = theShell
	}
	code, err := openShell(ctx, s, x, incus.Shell{Lease: kept.Lease, Job: j, Command: command})
	switch {
	case errors.Is(err, incus.ErrNotThere):
		return &exitError{code: exitBroken, message: fmt.Sprintf("instance %s of job %s is gone", kept.Name, kept.Job),
			hint: "pikaci gc removes what was kept once its time is over; pikaci reproduce prints how to make another"}
	case ctx.Err() != nil:
		return verdict(exitInterrupted)
	case err != nil:
		return err
	}
	return verdict(code)
}

// theShell is bash where there is one.
var theShell = []string{"sh", "-c", "if command -v bash >/dev/null; then exec bash; fi; exec sh"}

// keptJob is what a run kept of a job, and the job's context.
func keptJob(dir *record.Dir, job string) (event.LeaseKept, *runtime.JobContext, error) {
	past, damaged := dir.Read()
	j, err := jobOf(past.Run, job)
	if err != nil {
		return event.LeaseKept{}, nil, errors.Join(damaged, err)
	}
	at := slices.IndexFunc(past.Run.Kept, func(k event.LeaseKept) bool { return k.Job == j.ID })
	if at < 0 {
		if p, err := dir.Plan(); err == nil && slices.ContainsFunc(p.Jobs, func(of plan.Job) bool { return of.ID == j.ID && of.Host() }) {
			return event.LeaseKept{}, nil, usage(fmt.Sprintf("pikaci reproduce %s %s prints how to run it by hand", past.Run.ID, j.ID),
				"job %s runs on the host: it has no instance", j.ID)
		}
		var others []string
		for _, k := range past.Run.Kept {
			others = append(others, k.Job)
		}
		hint := "pikaci exec --keep failed keeps the instances of jobs that fail; pikaci reproduce prints how to make one"
		if len(others) > 0 {
			hint = "those of these jobs were: " + strings.Join(others, ", ")
		}
		return event.LeaseKept{}, nil, usage(hint, "the instance of job %s of run %s was not kept", j.ID, past.Run.ID)
	}
	p, err := dir.Plan()
	if err != nil {
		return event.LeaseKept{}, nil, err
	}
	run := runtime.RunContext{ID: past.Run.ID, StateRoot: dir.StateRoot(), Dir: dir.Path,
		SourceRoot: past.Run.SourceRoot, Snapshot: filepath.Join(dir.Path, "snapshot")}
	c := runtime.Contexts(p, &run, j.ID, nil, runtime.Limits{})[j.ID]
	if c == nil {
		return event.LeaseKept{}, nil, fmt.Errorf("the plan of run %s does not have job %s", past.Run.ID, j.ID)
	}
	return past.Run.Kept[at], c, nil
}
