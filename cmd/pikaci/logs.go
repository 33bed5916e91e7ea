package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
)

func logsCommand() command {
	return command{
		name:    "logs",
		args:    "RUN [JOB] [flags]",
		summary: "print what jobs printed",
		about: "logs prints the logs of a run's jobs, or of one: │ is before what the command\n" +
			"wrote to stdout, ┊ stderr, · what the host did for the job. One log of one job\n" +
			"is printed as it is, byte for byte, unless stdout is a terminal. " + aboutRun,
		examples: []string{
			"pikaci logs latest                       # of all jobs",
			"pikaci logs latest unit-tests -f         # as they are written, up to the job's end",
			"pikaci logs fixture unit-tests --stdout >log   # the bytes of one log",
		},
		flags: func(set *pflag.FlagSet) runner {
			f := &logsFlags{}
			f.register(set)
			return func(ctx context.Context, s *session, args []string) error {
				if err := noneEmpty(set); err != nil {
					return err
				}
				return runLogs(ctx, s, f, args)
			}
		},
	}
}

type logsFlags struct {
	records                      records
	stdout, stderr, host, follow bool
	since                        string
}

func (f *logsFlags) register(set *pflag.FlagSet) {
	set.BoolVar(&f.stdout, "stdout", false, "what the command wrote to stdout")
	set.BoolVar(&f.stderr, "stderr", false, "what it wrote to stderr")
	set.BoolVar(&f.host, "host", false, "what the host did for the job, like builds")
	set.BoolVarP(&f.follow, "follow", "f", false, "go on as more is written, up to the end of the job or run")
	set.StringVar(&f.since, "since", "", "`AGO` only what was written since: 90s, 10m, or a time")
	f.records.register(set)
}

// streams are those that were asked for, or all.
func (f *logsFlags) streams() []event.Stream {
	var list []event.Stream
	for _, s := range record.Streams {
		if s == event.Host && f.host || s == event.Stdout && f.stdout || s == event.Stderr && f.stderr {
			list = append(list, s)
		}
	}
	if list == nil {
		return record.Streams
	}
	return list
}

func runLogs(ctx context.Context, s *session, f *logsFlags, args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return usage("pikaci logs latest, or pikaci logs latest unit-tests", "logs takes a run and maybe a job, and %d are given", len(args))
	}
	since, err := time.Time{}, error(nil)
	if f.since != "" {
		if since, err = moment("--since", f.since, time.Now()); err != nil {
			return err
		}
	}
	dir, err := f.records.find(s, args[0])
	if err != nil {
		return err
	}
	l := &logView{dir: dir, streams: f.streams(), since: since, tail: dir.Tail(), readers: map[string]*record.LogReader{}}
	defer l.close()
	if len(args) == 2 {
		l.only = args[1]
	}
	return l.show(ctx, s, f.follow)
}

// logView shows the logs of a run, that may go on.
type logView struct {
	dir     *record.Dir
	only    string
	streams []event.Stream
	since   time.Time

	tail *record.Tail
	// jobs are those that are shown, in order; over says that no more will be
	// written of them.
	jobs []string
	over bool
	// killed says that the run has no end and nobody who would give it one.
	killed bool
	// ended are jobs that ended since the last look.
	ended   []string
	readers map[string]*record.LogReader
	// buffer is before stdout: a log has many lines.
	buffer *bufio.Writer
	out    logWriter
	cut    []event.LogTruncated
	// cached are jobs whose logs another run has.
	cached []event.JobFinished
}

type logWriter interface {
	Output(job string, s event.Stream, p []byte) error
	Flush(job string) error
}

// followEvery is how often a log that is followed is looked at.
const followEvery = 100 * time.Millisecond

func (l *logView) show(ctx context.Context, s *session, follow bool) error {
	damaged, err := l.begin(ctx, follow)
	if err != nil {
		return err
	}
	if l.only != "" && !slices.Contains(l.jobs, l.only) {
		if damaged != nil {
			return damaged
		}
		return noSuchJob(l.only, l.dir.ID, l.jobs)
	}
	l.buffer = bufio.NewWriterSize(s.stdout, 64<<10)
	l.out = l.writer(s)
	for {
		// What was written before an end was seen is all there will be.
		over := l.over
		if err := l.print(); err != nil {
			return err
		}
		if over || !follow || damaged != nil {
			break
		}
		if err := pause(ctx); err != nil {
			return err
		}
		// In this order: it may end in between.
		killed := l.dir.Stands() == record.Killed
		damaged = l.tail.Next(l.event)
		if killed && !l.over {
			l.over, l.killed = true, true
		}
	}
	for _, job := range l.jobs {
		if err := l.out.Flush(job); err != nil {
			return err
		}
	}
	if err := l.buffer.Flush(); err != nil {
		return err
	}
	if l.killed {
		s.note("pikaci: run %s was killed", l.dir.ID)
	}
	for _, j := range l.cached {
		s.note("pikaci: job %s is cached: its logs are those of run %s", j.Job, j.CachedFrom)
	}
	for _, c := range l.cut {
		s.note("pikaci: %s of job %s was cut off: %d bytes went over the runner's ceiling", c.Stream, c.Job, c.Bytes)
	}
	return damaged
}

// begin reads what events there are. A run that is followed may not have said
// yet what its jobs are.
func (l *logView) begin(ctx context.Context, follow bool) (damaged, err error) {
	for {
		killed := l.dir.Stands() == record.Killed
		damaged = l.tail.Next(l.event)
		early := l.jobs == nil && !l.over && (damaged == nil || errors.Is(damaged, fs.ErrNotExist))
		if !follow || !early || killed {
			return damaged, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// pause waits until a log that is followed is to be looked at again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(followEvery):
		return nil
	}
}

func noSuchJob(job, run string, jobs []string) error {
	return usage(didYouMean(nearest(job, jobs), "its jobs: "+strings.Join(jobs, ", ")), "run %s has no job %q", run, job)
}

// event learns the jobs, and when all is over.
func (l *logView) event(e event.Event) error {
	switch {
	case e.RunStarted != nil:
		l.jobs = e.RunStarted.Jobs
		if l.only != "" && slices.Contains(l.jobs, l.only) {
			l.jobs = []string{l.only}
		}
	case e.LogTruncated != nil && slices.Contains(l.jobs, e.LogTruncated.Job) && slices.Contains(l.streams, e.LogTruncated.Stream):
		l.cut = append(l.cut, *e.LogTruncated)
	case e.JobFinished != nil:
		if f := e.JobFinished; f.Verdict == event.Cached && slices.Contains(l.jobs, f.Job) {
			l.cached = append(l.cached, *f)
		}
		l.ended = append(l.ended, e.JobFinished.Job)
		l.over = l.over || e.JobFinished.Job == l.only
	case e.RunFinished != nil:
		l.over = true
	}
	return nil
}

// writer is how the logs are shown.
func (l *logView) writer(s *session) logWriter {
	single := l.only != "" && len(l.streams) == 1
	out, _ := s.stdout.(*output)
	terminal := out != nil && isTerminal(out.w)
	if single && !terminal {
		return asItIs{l.buffer}
	}
	colour := out != nil && colours(s.env, out.w).off != ""
	return report.NewLogs(l.buffer, report.LogStyle{Jobs: l.only == "", Streams: !single, Colour: colour})
}

// asItIs writes the bytes of one log.
type asItIs struct{ w io.Writer }

func (a asItIs) Output(_ string, _ event.Stream, p []byte) error {
	_, err := a.w.Write(p)
	return err
}
func (a asItIs) Flush(string) error { return nil }

// print prints what was written since it was last called.
func (l *logView) print() error {
	for _, job := range l.jobs {
		r := l.readers[job]
		if r == nil {
			r = l.dir.ReadLogs(job, l.streams)
			l.readers[job] = r
		}
		err := r.Next(func(s event.Stream, at time.Time, chunk []byte) error {
			if !at.IsZero() && at.Before(l.since) {
				return nil
			}
			return l.out.Output(job, s, chunk)
		})
		if err == nil && slices.Contains(l.ended, job) {
			err = l.out.Flush(job)
		}
		if err != nil {
			return err
		}
	}
	l.ended = nil
	return l.buffer.Flush()
}

func (l *logView) close() {
	l.tail.Close()
	for _, r := range l.readers {
		r.Close()
	}
}
