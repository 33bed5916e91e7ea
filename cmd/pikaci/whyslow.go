package main

import (
	"context"
	"math"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/history"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
)

// compareWith is how many earlier runs a run is compared with.
const compareWith = 5

func whySlowCommand() command {
	return command{
		name:    "why-slow",
		args:    "RUN [flags]",
		summary: "say what a run's end had to wait for, and what is usual",
		about: "why-slow prints the critical path of a run: of all that a step depends on always\n" +
			"that which ended last, with the time of each phase, beside the median of the\n" +
			"last five runs that ended and had the same lanes. " + aboutRun,
		examples: []string{
			"pikaci why-slow latest",
			"pikaci why-slow fixture --json",
		},
		flags: func(set *pflag.FlagSet) runner {
			var r records
			asJSON := set.Bool("json", false, "print it as JSON")
			r.register(set)
			return func(_ context.Context, s *session, args []string) error {
				dir, err := r.theRun(s, "why-slow", args)
				if err != nil {
					return err
				}
				return runWhySlow(s, &r, dir, *asJSON)
			}
		},
	}
}

func runWhySlow(s *session, r *records, dir *record.Dir, asJSON bool) error {
	past, damaged := dir.Read()
	if past.Run.ID == "" {
		return damaged
	}
	p, err := dir.Plan()
	if err != nil {
		return err
	}
	others, err := r.before(s, dir, past.Run)
	if err != nil {
		return err
	}
	slow := report.WhySlow(past, p, others, time.Now())
	if asJSON {
		_, err = s.stdout.Write(document(slow))
	} else {
		err = report.WriteSlow(s.stdout, slow)
	}
	if err != nil {
		return err
	}
	return damaged
}

// before are the last runs before this one that ended and had the same lanes.
func (r *records) before(s *session, dir *record.Dir, run record.Run) ([]record.Run, error) {
	runs, err := r.open(s)
	if err != nil {
		return nil, err
	}
	return runsBefore(runs, dir, run, runs.Len(), math.MaxInt), nil
}

// runsBefore looks at the newest runs of a state root, at so many, and reads
// those that are like this one until they have so many jobs.
func runsBefore(runs *history.Runs, dir *record.Dir, run record.Run, most, jobs int) []record.Run {
	var others []record.Run
	for other := range runs.All() {
		if len(others) == compareWith || most == 0 || jobs <= 0 {
			break
		}
		most--
		if other.ID == dir.ID || other.State != record.Finished || other.StartedAt.After(run.StartedAt) || other.PrepareOnly != run.PrepareOnly || !sameLanes(&other, run.Lanes) {
			continue
		}
		d := record.Dir{ID: other.ID, Path: other.Path}
		if r, err := d.ReadEnded(); err == nil { // else it was removed meanwhile
			others = append(others, r)
			jobs -= len(r.Jobs)
		}
	}
	return others
}

func sameLanes(s *history.Summary, lanes []record.LaneRecord) bool {
	for _, l := range lanes {
		if _, ok := s.Lane(l.ID); !ok {
			return false
		}
	}
	return len(s.Lanes) == len(lanes)
}
