package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
)

func statusCommand() command {
	return command{
		name:    "status",
		args:    "RUN [flags]",
		summary: "say how a run ended, or what it is doing",
		about: "status prints a run's table: of one that ended, how; of one that goes on or was\n" +
			"killed, what was under way. It reads the run's events: a damaged record is shown\n" +
			"as far as it can be read, and the exit code is 4. " + aboutRun,
		examples: []string{
			"pikaci status latest",
			"pikaci status fixture          # the newest run of that lane",
			"pikaci status 01m8 --json      # the same fields as run.json",
			"pikaci status 01m8 --as junit  # also of a run that was killed",
		},
		flags: func(set *pflag.FlagSet) runner {
			var r records
			asJSON := set.Bool("json", false, "print the record as JSON")
			as := set.String("as", "", "`junit|trace|markdown|otlp` print it as junit.xml, trace.json, a step summary\nor spans of OpenTelemetry")
			r.register(set)
			return func(_ context.Context, s *session, args []string) error {
				dir, err := r.theRun(s, "status", args)
				if err != nil {
					return err
				}
				if err := errors.Join(noneEmpty(set), exclude(set, "json", "as")); err != nil {
					return err
				}
				return runStatus(s, dir, *asJSON, *as)
			}
		},
	}
}

// theRun is the run of a command that takes nothing else.
func (r *records) theRun(s *session, command string, args []string) (*record.Dir, error) {
	if len(args) != 1 {
		return nil, usage("pikaci "+command+" latest", "%s takes one run, and %d are given", command, len(args))
	}
	return r.find(s, args[0])
}

// reportNames are the reports by what --as calls them.
var reportNames = map[string]string{"junit": "junit.xml", "trace": "trace.json", "markdown": "summary.md", "otlp": "otlp.json"}

func runStatus(s *session, dir *record.Dir, asJSON bool, as string) error {
	if as != "" {
		if err := oneOf("--as", as, []string{"junit", "trace", "markdown", "otlp"}); err != nil {
			return err
		}
	}
	past, damaged := dir.Read()
	if past.Run.ID == "" {
		return damaged
	}
	past.Run.RunDir = dir.Path // where it is now
	if asJSON {
		if _, err := s.stdout.Write(document(past.Run)); err != nil {
			return err
		}
		return damaged
	}
	p, _ := dir.Plan() // without it no lane is known of a job that has not ended
	if as != "" {
		b, err := reportAs(reportNames[as], dir, past, p)
		if err == nil {
			_, err = s.stdout.Write(b)
		}
		return errors.Join(err, damaged)
	}
	if err := report.Status(s.stdout, past, p, time.Now(), s.paint(s.stdout)); err != nil {
		return err
	}
	return damaged
}
