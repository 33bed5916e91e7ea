package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/history"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
)

// defaultTrend is how many runs are looked at unless --limit says otherwise.
const defaultTrend = 50

func trendsCommand() command {
	return command{
		name:    "trends",
		args:    "[LANE] [flags]",
		summary: "say how durations, flakiness and payload sizes came along",
		about: "trends sums up the recorded runs: for each lane and job how often it passed, on\n" +
			"how many of its inputs it both passed and failed, and how long it took when it\n" +
			"passed; for each payload its size. Same inputs are the same snapshot, plan, and\n" +
			"decisions of the host. A plot has the oldest on the left, at most twenty; it is\n" +
			"drawn with digits where TERM is dumb or the locale is not UTF-8.",
		examples: []string{
			"pikaci trends                       # of all lanes, over the newest 50 runs",
			"pikaci trends fixture --since 30d   # of one lane",
			"pikaci trends fixture -n 0 --json   # over all its runs, for programs",
		},
		flags: func(set *pflag.FlagSet) runner {
			f := &trendsFlags{runsFlags{set: set}}
			f.register(set)
			return func(_ context.Context, s *session, args []string) error { return runTrends(s, f, args) }
		},
	}
}

// trendsFlags are those of runs that choose by more than the lane.
type trendsFlags struct{ runsFlags }

func (f *trendsFlags) register(set *pflag.FlagSet) {
	set.StringVar(&f.since, "since", "", "`AGO` only runs that began since: 90m, 24h, 7d, or a time")
	set.StringVar(&f.before, "before", "", "`AGO` only runs that began before")
	set.IntVarP(&f.limit, "limit", "n", defaultTrend, "`N` at most so many runs, the newest; 0 is all (default 50)")
	set.BoolVar(&f.json, "json", false, "print them as JSON, with each run")
	f.records.register(set)
}

func runTrends(s *session, f *trendsFlags, args []string) error {
	if len(args) > 1 {
		return usage("", "trends takes one lane, and %q is given too", args[1])
	}
	if len(args) == 1 {
		if f.lane = args[0]; f.lane == "" {
			return usage("", "LANE is empty")
		}
	}
	keep, err := f.filter(time.Now())
	if err != nil {
		return err
	}
	runs, err := f.records.open(s)
	if err != nil {
		return err
	}
	found, lanes := choose(runs, keep, f.limit)
	if f.lane != "" && len(found) == 0 && f.since == "" && f.before == "" && runs.Len() > 0 {
		return usage(didYouMean(nearest(f.lane, lanes), "lanes that ran: "+strings.Join(lanes, ", ")), "no run had a lane %q", f.lane)
	}
	t := readTrends(found, f.lane)
	if f.json {
		_, err := s.stdout.Write(document(t))
		return err
	}
	switch {
	case len(found) == 0:
		s.note("pikaci: %s", none(runs))
	case t.Unreadable > 0:
		s.note("pikaci: %d of the %d runs can't be read to their end", t.Unreadable, t.Runs)
	}
	return report.WriteTrends(s.stdout, t, s.sparks())
}

// choose takes the newest runs that are meant, and the lanes of all that it saw.
func choose(runs *history.Runs, keep func(*history.Summary) (ok, more bool), limit int) (found []history.Summary, lanes []string) {
	for run := range runs.All() {
		for _, l := range run.Lanes {
			if !slices.Contains(lanes, l.ID) {
				lanes = append(lanes, l.ID)
			}
		}
		ok, more := keep(&run)
		if ok && run.State != history.Unreadable {
			found = append(found, run)
		} else if !more {
			break
		}
		if len(found) == limit && limit > 0 {
			break
		}
	}
	slices.Sort(lanes)
	return found, lanes
}

// readTrends reads the runs. What of one can't be read, counts for nothing.
func readTrends(found []history.Summary, lane string) report.Trends {
	var past []record.Past
	unreadable := 0
	for _, run := range found {
		d := record.Dir{ID: run.ID, Path: run.Path}
		p, err := d.Read()
		if err != nil && !errors.Is(err, record.ErrNotBegun) {
			unreadable++
		}
		p.Run.Phases, p.Run.Leases, p.Run.Left = nil, nil, nil // thousands are held at one time
		past = append(past, p)
	}
	t := report.TrendsOf(past, lane)
	t.Unreadable = unreadable
	return t
}

// sparks are the marks that whoever reads stdout can see.
func (s *session) sparks() report.Sparks {
	if term, _ := s.lookupEnv("TERM"); term == "dumb" || !s.utf8() {
		return report.DigitSparks
	}
	return report.BlockSparks
}

// utf8 reports whether the locale's characters are UTF-8.
func (s *session) utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value, _ := s.lookupEnv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}
