package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/history"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
)

func runsCommand() command {
	return command{
		name:    "runs",
		args:    "[flags]",
		summary: "list recorded runs, the newest first",
		about: "runs lists the runs of a state root, the newest first. With --lane, verdicts are\n" +
			"that lane's. running is a run that goes on, killed one that ended without a word,\n" +
			"unfinished either, where nothing says which.",
		examples: []string{
			"pikaci runs                                    # the newest 20",
			"pikaci runs --lane fixture --verdict failed    # where that lane failed",
			"pikaci runs --since 7d --json                  # for programs",
		},
		flags: func(set *pflag.FlagSet) runner {
			f := &runsFlags{set: set}
			f.register(set)
			return func(_ context.Context, s *session, args []string) error { return runRuns(s, f, args) }
		},
	}
}

// defaultRuns is how many runs are listed unless --limit says otherwise.
const defaultRuns = 20

type runsFlags struct {
	set                          *pflag.FlagSet
	records                      records
	lane, verdict, since, before string
	limit                        int
	json                         bool
}

func (f *runsFlags) register(set *pflag.FlagSet) {
	set.StringVar(&f.lane, "lane", "", "`LANE` only runs that had this lane")
	set.StringVar(&f.verdict, "verdict", "", "`passed|failed|cancelled|skipped|partial|running|killed|unfinished|unreadable` only these")
	set.StringVar(&f.since, "since", "", "`AGO` only runs that began since: 90m, 24h, 7d, or a time")
	set.StringVar(&f.before, "before", "", "`AGO` only runs that began before")
	set.IntVarP(&f.limit, "limit", "n", defaultRuns, "`N` at most so many; 0 is all (default 20)")
	set.BoolVar(&f.json, "json", false, "print them as JSON")
	f.records.register(set)
}

func runRuns(s *session, f *runsFlags, args []string) error {
	if err := noArguments("runs", args); err != nil {
		return err
	}
	keep, err := f.filter(time.Now())
	if err != nil {
		return err
	}
	runs, err := f.records.open(s)
	if err != nil {
		return err
	}
	found := []history.Summary{}
	for run := range runs.All() {
		if ok, more := keep(&run); ok {
			found = append(found, run)
		} else if !more {
			break
		}
		if len(found) == f.limit && f.limit > 0 {
			break
		}
	}
	if f.json {
		_, err := s.stdout.Write(document(struct {
			Runs []history.Summary `json:"runs"`
		}{found}))
		return err
	}
	if len(found) == 0 {
		s.note("pikaci: %s", none(runs))
	}
	return printRuns(s.stdout, found, f.lane, time.Now(), s.paint(s.stdout))
}

func none(runs *history.Runs) string {
	if runs.Len() == 0 {
		return "there is no run in " + runs.Root
	}
	return fmt.Sprintf("none of the %d runs in %s is meant", runs.Len(), runs.Root)
}

// filter tells whether a run is meant, and whether one that is older may be.
func (f *runsFlags) filter(now time.Time) (func(*history.Summary) (ok, more bool), error) {
	if err := noneEmpty(f.set); err != nil {
		return nil, err
	}
	if f.limit < 0 {
		return nil, usage("", "--limit %d: want 0 or more", f.limit)
	}
	if f.verdict != "" {
		value, _ := flagUsage(f.set.Lookup("verdict"))
		if err := oneOf("--verdict", f.verdict, strings.Split(value, "|")); err != nil {
			return nil, err
		}
	}
	since, before := time.Time{}, now.Add(time.Hour)
	var err error
	if f.since != "" {
		if since, err = moment("--since", f.since, now); err != nil {
			return nil, err
		}
	}
	if f.before != "" {
		if before, err = moment("--before", f.before, now); err != nil {
			return nil, err
		}
	}
	return func(run *history.Summary) (ok, more bool) {
		if run.StartedAt.Before(since) {
			// An id's time and its first event's are not quite the same.
			return false, run.StartedAt.After(since.Add(-time.Hour))
		}
		if !run.StartedAt.Before(before) {
			return false, true
		}
		_, has := run.Lane(f.lane)
		return (f.lane == "" || has) && (f.verdict == "" || f.verdict == verdictOf(run, f.lane)), true
	}, nil
}

// verdictOf is the word for how a run ended, or one lane of it.
func verdictOf(run *history.Summary, lane string) string {
	if run.State != record.Finished {
		return string(run.State)
	}
	if l, ok := run.Lane(lane); ok {
		return string(l.Verdict)
	}
	return string(run.Verdict)
}

func printRuns(w io.Writer, found []history.Summary, lane string, now time.Time, paint report.Paint) error {
	if len(found) == 0 {
		return nil
	}
	t := tableWriter(w)
	fmt.Fprintf(t, "RUN\tAGE\tTIME\t%s\tLANES\tWHY\n", paint.Verdict("", "VERDICT"))
	for i := range found {
		run := &found[i]
		took, why := "-", run.Reason
		if run.State == record.Finished {
			took = report.Seconds(run.DurationMS)
		}
		if run.Problem != "" {
			why = run.Problem
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", run.ID, age(now.Sub(run.StartedAt)), took,
			paint.Verdict(event.Verdict(verdictOf(run, lane)), dash(verdictOf(run, lane))), dash(laneList(run)), dash(cell(why)))
	}
	return t.Flush()
}

// maxLanes is how many lanes of a run a list names.
const maxLanes = 3

// laneList names the lanes, those that failed first.
func laneList(run *history.Summary) string {
	var failed, names []string
	for _, l := range run.Lanes {
		if l.Verdict == event.Failed {
			failed = append(failed, l.ID)
		} else {
			names = append(names, l.ID)
		}
	}
	names = slices.Concat(failed, names)
	if len(names) > maxLanes {
		names = append(names[:maxLanes:maxLanes], fmt.Sprintf("and %d more", len(names)-maxLanes))
	}
	return cell(strings.Join(names, ", "))
}

// maxCell is how many characters of a text a table shows.
const maxCell = 100

// cell keeps a text that others chose in its place in a table.
func cell(text string) string {
	text = printable(strings.ReplaceAll(strings.TrimSpace(text), "\n", "; "))
	if r := []rune(text); len(r) > maxCell {
		text = string(r[:maxCell-1]) + "…"
	}
	return text
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// age is how long ago something was, in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
