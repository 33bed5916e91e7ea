package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/history"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report/html"
	"github.com/sledtools/pikaci/schema/plan"
)

// pageName is the report in the run directory.
const pageName = "report.html"

// At the end of a run, lookBack is how many runs are looked at for those that it
// is compared with, and readBack after how many jobs of theirs no other is read:
// nobody is to wait for runs of long ago, or for the records of thousands.
const (
	lookBack = 200
	readBack = 1000
)

// maxSetup is how much of what host_setup commands printed is looked at, in
// bytes.
const maxSetup = 64 << 10

func reportCommand() command {
	return command{
		name:    "report",
		args:    "RUN [flags]",
		summary: "write a run as one page to open in a browser",
		about: "report writes report.html: the graph, the timeline, all jobs, their logs and\n" +
			"artifacts, and how the run compares with the last ones, in one file that needs no\n" +
			"network. exec writes it at the end of each run; report makes it of one that was\n" +
			"killed or goes on, too, and prints where it is. Without -o it stays in the run's\n" +
			"record, where its links to artifacts lead somewhere. " + aboutRun,
		examples: []string{
			"pikaci report latest",
			"pikaci report fixture -o fixture.html   # to send to somebody",
		},
		flags: func(set *pflag.FlagSet) runner {
			var r records
			out := set.StringP("output", "o", "", "`FILE` where to write it; - is stdout (default report.html in the run's record)")
			r.register(set)
			return func(_ context.Context, s *session, args []string) error {
				dir, err := r.theRun(s, "report", args)
				if err != nil {
					return err
				}
				if err := noneEmpty(set); err != nil {
					return err
				}
				return runReport(s, &r, dir, *out)
			}
		},
	}
}

func runReport(s *session, r *records, dir *record.Dir, out string) error {
	past, damaged := dir.Read()
	if past.Run.ID == "" {
		return damaged
	}
	past.Run.RunDir = dir.Path // where it is now
	p, err := dir.Plan()
	if err != nil {
		s.note("pikaci: no graph: %v", err)
	}
	others, err := r.before(s, dir, past.Run)
	if err != nil {
		return err
	}
	page := pageOf(dir, past, p, others)
	if damaged != nil {
		page.Damaged = damaged.Error()
	}
	if err := putPage(s, dir, page, out); err != nil {
		return err
	}
	return damaged
}

// putPage writes the page to a file, to stdout, or into the record.
func putPage(s *session, dir *record.Dir, page html.Run, out string) error {
	switch out {
	case "-":
		page.Linked = false
		return html.Write(s.stdout, page)
	case "":
		if err := dir.StreamReport(pageName, func(w io.Writer) error { return html.Write(w, page) }); err != nil {
			return err
		}
		out = filepath.Join(dir.Path, pageName)
	default:
		page.Linked = false
		if err := writePageFile(out, page); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(s.stdout, out)
	return err
}

// writePageFile writes it under another name first, whole or not at all.
func writePageFile(path string, page html.Run) error {
	beside := &record.Dir{ID: page.Past.Run.ID, Path: filepath.Dir(path)}
	return beside.StreamReport(filepath.Base(path), func(w io.Writer) error { return html.Write(w, page) })
}

// pageOf is what the page of a run is made of.
func pageOf(dir *record.Dir, past record.Past, p *plan.Plan, earlier []record.Run) html.Run {
	return html.Run{Past: past, Plan: p, Earlier: earlier, Linked: true, Setup: setupEnd(dir),
		Logs: func(job string, last int64, each func(event.Stream, time.Time, []byte) error) error {
			r := dir.ReadLogs(job, record.Streams)
			defer r.Close()
			if last > 0 {
				if err := r.SkipAllBut(last); err != nil {
					return err
				}
			}
			return r.Next(each)
		}}
}

// setupEnd is the end of what host_setup commands printed, if they did.
func setupEnd(dir *record.Dir) []byte {
	f, err := os.Open(filepath.Join(dir.Path, "host-setup.log"))
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxSetup {
		f.Seek(-maxSetup, io.SeekEnd)
	}
	b, _ := io.ReadAll(io.LimitReader(f, maxSetup))
	return b
}

// writeOwnPage writes the page of a run that just ended.
func writeOwnPage(stateRoot string, dir *record.Dir, past record.Past, p *plan.Plan) error {
	var earlier []record.Run
	if runs, err := history.Open(stateRoot); err == nil { // else it is compared with none
		earlier = runsBefore(runs, dir, past.Run, lookBack, readBack)
	}
	page := pageOf(dir, past, p, earlier)
	return dir.StreamReport(pageName, func(w io.Writer) error { return html.Write(w, page) })
}
