package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/schema/plan"
)

// lastLines is how many lines of a job that did not pass are shown.
const lastLines = 20

// explainJob explains a job of a run: args are both names.
func explainJob(s *session, set *pflag.FlagSet, r *records, asJSON bool, args []string) error {
	if set.Changed("lanes") {
		return usage("", "--lanes is for a path in lane files, and two names are a run and a job")
	}
	dir, err := r.find(s, args[0])
	if err != nil {
		return err
	}
	past, damaged := dir.Read()
	if damaged != nil && past.Run.ID == "" {
		return damaged
	}
	j, err := jobOf(past.Run, args[1])
	if err != nil {
		return err
	}
	p, err := dir.Plan()
	if err != nil {
		return err
	}
	x, ok := report.Explain(past, p, j.ID, time.Now())
	if !ok {
		return fmt.Errorf("explain job %s: the plan of run %s does not have it", j.ID, past.Run.ID)
	}
	x.Changed = changedSince(dir, p, j)
	if asJSON {
		if _, err := s.stdout.Write(document(x)); err != nil {
			return err
		}
		return damaged
	}
	last, err := tellingLines(dir, j)
	if err != nil {
		return err
	}
	if err := report.WriteExplanation(s.stdout, x, last, s.paint(s.stdout)); err != nil {
		return err
	}
	return damaged
}

// tellingLines are the last lines of a job that did not pass: of its command,
// or of the host where that did not get as far.
func tellingLines(dir *record.Dir, j *record.JobRecord) ([]string, error) {
	if j.Verdict != event.Failed && j.Verdict != event.Cancelled && j.Verdict != "" {
		return nil, nil
	}
	last, err := report.LastLines(dir, j.ID, []event.Stream{event.Stdout, event.Stderr}, lastLines)
	if err != nil || len(last) > 0 {
		return last, err
	}
	return report.LastLines(dir, j.ID, []event.Stream{event.Host}, lastLines)
}

// changedSince names files that a job which ran saw otherwise than its last
// pass did.
func changedSince(dir *record.Dir, p *plan.Plan, j *record.JobRecord) []string {
	if j.Result == nil || !record.ValidID(j.Result.Run) ||
		!slices.Contains(j.Result.Differs, "snapshot") && !slices.Contains(j.Result.Differs, event.PartReads) {
		return nil
	}
	saw := func(id string) string {
		run := runtime.NewRunContext(dir.StateRoot(), id, "")
		c := runtime.Contexts(p, &run, j.ID, nil, runtime.Limits{})[j.ID]
		if c == nil {
			return ""
		}
		folder, err := filepath.EvalSymlinks(c.Workspace())
		if err != nil {
			return ""
		}
		return folder
	}
	before, now := saw(j.Result.Run), saw(dir.ID)
	if before == "" || now == "" {
		return nil
	}
	return differing(before, now)
}
