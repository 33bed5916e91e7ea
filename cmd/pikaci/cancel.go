package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/record"
)

func cancelCommand() command {
	return command{
		name:    "cancel",
		args:    "RUN [flags]",
		summary: "ask a run that goes on to stop, and wait for its end",
		about: "cancel asks the pikaci that owns a run to stop it, as SIGINT would: commands are\n" +
			"stopped, instances deleted, records written. RUN is an id, the beginning of one,\n" +
			"or latest.\n" +
			"Exit code: 0 the run has ended, 4 it was killed or did not end in time, 64 usage.",
		examples: []string{
			"pikaci cancel latest            # the run that began last",
			"pikaci cancel 01k9 --wait 30s   # by the beginning of its id",
		},
		flags: func(set *pflag.FlagSet) runner {
			var r records
			r.register(set)
			wait := set.Duration("wait", 3*time.Minute, "`TIME` to wait for its end (default 3m)")
			return func(ctx context.Context, s *session, args []string) error {
				if len(args) != 1 {
					return usage("pikaci cancel latest, or the id of a run", "cancel takes one run, and %d are given", len(args))
				}
				if err := noneEmpty(set); err != nil {
					return err
				}
				if *wait <= 0 {
					return usage("", "--wait %s: want more than 0", *wait)
				}
				return runCancel(ctx, s, &r, args[0], *wait)
			}
		},
	}
}

var errNotInTime = errors.New("it has not ended yet")

func runCancel(ctx context.Context, s *session, r *records, name string, wait time.Duration) error {
	d, err := r.find(s, name)
	if err != nil {
		return err
	}
	limited, stop := context.WithTimeoutCause(ctx, wait, errNotInTime)
	defer stop()
	err = d.AskToCancel(limited)
	if err == nil {
		err = d.AwaitEnd(limited)
	}
	switch {
	case errors.Is(err, record.ErrDead):
		return &exitError{code: exitBroken, message: fmt.Sprintf("run %s does not go on: %v", d.ID, err),
			hint: "pikaci gc removes what it left; pikaci exec --resume " + d.ID + " carries it on"}
	case errors.Is(err, errNotInTime):
		return &exitError{code: exitBroken, message: fmt.Sprintf("run %s was asked to stop; %s after %s", d.ID, errNotInTime, wait),
			hint: "ask again with a longer --wait"}
	case err != nil && !errors.Is(err, record.ErrEnded):
		return err
	}
	past, err := d.Read()
	if err != nil {
		return err
	}
	how := string(past.Run.Verdict)
	if past.Run.Reason != "" {
		how += ": " + past.Run.Reason
	}
	_, err = fmt.Fprintf(s.stdout, "run %s has ended: %s\n", d.ID, how)
	return err
}
