package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/group"
	"github.com/sledtools/pikaci/runtime/host"
	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/process"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/runtime/result"
	"github.com/sledtools/pikaci/runtime/snapshot"
	"github.com/sledtools/pikaci/schema/plan"
)

// executors are what carries out a plan on this host. Those that the plan does
// not need are not asked for: a plan of host jobs runs without Incus.
type executors struct {
	nix    *nix.Executor
	guests instances
	host   *host.Executor
}

// instances carries out what happens in instances, and takes them back.
type instances interface {
	runtime.Executor
	runtime.Releaser
	runtime.Adopter
	result.Place
	runtime.Keeper
	MarkRoot(id string)
}

func (x *execution) executors(ctx context.Context) (*executors, error) {
	e := &executors{nix: nix.New(nix.Options{Settings: x.runner.Nix.Settings, Installables: x.installables()})}
	e.host = host.New(host.Options{PassEnv: x.runner.HostEnv, LookupEnv: x.fromEnv, DevShell: e.nix.DevShell, ShellDerivation: e.nix.ShellDerivation, Orphans: x.orphans()})
	builds, guests := false, false
	for i := range x.jobs {
		builds = builds || len(x.jobs[i].StagedPayloads) > 0 || x.jobs[i].DevShell != ""
		guests = guests || !x.jobs[i].Host()
	}
	if builds {
		if err := e.nix.Preflight(); err != nil {
			return nil, err
		}
	}
	if !guests || x.flags.prepareOnly {
		return e, nil
	}
	var err error
	e.guests, err = x.connectIncus(ctx)
	return e, err
}

// orphans are what host jobs leave running; nil where the kernel does not tell.
func (x *execution) orphans() *process.Orphans {
	if !slices.ContainsFunc(x.jobs, func(j plan.Job) bool { return j.Host() }) {
		return nil
	}
	o, err := process.Adopt()
	if err != nil {
		return nil
	}
	return o
}

// installables are what the run's jobs need built.
func (x *execution) installables() []string {
	var list []string
	for i := range x.jobs {
		for _, s := range x.jobs[i].StagedPayloads {
			list = append(list, s.Installable)
		}
	}
	return list
}

// run carries the plan out and writes the records.
func (x *execution) run(ctx context.Context, s *session) error {
	if len(x.plan.Jobs) == 0 {
		s.note("pikaci: nothing to run: no lane of this plan was chosen")
		if x.flags.allowEmpty {
			return nil
		}
		return verdict(runtime.ExitNothing)
	}
	debug.SetGCPercent(runsPercent)
	e, err := x.executors(ctx)
	if err != nil {
		return err
	}
	dir, lock, err := x.ownDir()
	if err != nil {
		return diskFull(err)
	}
	defer lock.Release()
	defer e.host.Close()
	if err := x.markRoot(e); err != nil {
		return diskFull(err)
	}
	defer x.sweep(ctx, s, e)()
	pump := report.NewPump(x.reader(s))
	journal, torn, err := x.openJournal(dir, pump.Event)
	if err != nil {
		return diskFull(err)
	}
	asked, deaf, err := lock.Asked()
	if err != nil {
		return diskFull(err)
	}
	defer deaf()
	ctx, abandon, stop := interrupts(ctx, journal, asked)
	defer stop()
	c := x.config(e, dir, journal, pump, abandon)
	if c.Groups, err = x.groups(dir.ID); err != nil {
		return errors.Join(err, journal.Close())
	}
	c.Torn = torn
	spans := x.trace(s, &c)
	summary, err := runtime.Run(ctx, c)
	r, outputs := journal.Records()
	spans.send(record.Past{Run: r, Outputs: outputs, Last: time.Now()}, x.plan)
	var reportsErr error
	var reports sync.WaitGroup
	// The reports are made while the records are synced.
	reports.Go(func() {
		reportsErr = writeReports(dir, record.Past{Run: r, Outputs: outputs, Last: time.Now(), State: record.Finished}, x.plan, x.stateRoot, x.fromEnv)
	})
	recordsErr := errors.Join(journal.Close(), writeRecords(dir, r, outputs))
	err = errors.Join(err, recordsErr)
	x.noteDurations(r)
	if recordsErr == nil {
		x.keepPasses(s, &r)
	}
	reports.Wait()
	x.show(s, pump, r)
	spans.wait(s)
	if reportsErr != nil && !errors.Is(err, syscall.ENOSPC) {
		for _, each := range plain(reportsErr, "") {
			s.note("pikaci: %s", each.Message)
		}
	}
	err = diskFull(errors.Join(err, summary.NoSpace))
	if err != nil && summary.ExitCode == runtime.ExitPassed {
		return err
	}
	// That which the end of the run says already is not said again.
	if err != nil && (err.Error() != summary.Reason || hintOf(err) != "") {
		s.failed(err, hintOf(err))
	}
	return verdict(summary.ExitCode)
}

// noteDurations keeps how long nodes took for the order of later runs. Where it
// can't be kept, they go on with what they know.
func (x *execution) noteDurations(r record.Run) {
	d := record.ReadDurations(x.stateRoot)
	d.Note(r)
	d.Write(x.stateRoot)
}

// keepPasses keeps what passed for later runs. Its proof is in the records, so
// they are written before.
func (x *execution) keepPasses(s *session, r *record.Run) {
	if err := result.Keep(x.stateRoot, r); err != nil && !errors.Is(err, syscall.ENOSPC) {
		s.note("pikaci: %v", err)
	}
}

// diskFull makes one error, with what to do, of the many that a full disk gives.
func diskFull(err error) error {
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return &exitError{code: exitBroken, message: first,
		hint: "make room on the disk, or name another place for records with --state-root"}
}

// show prints the end. A reader that went away, or could not take it all,
// changes neither run nor verdict.
func (x *execution) show(s *session, pump *report.Pump, r record.Run) {
	err := pump.Close()
	if endErr := x.printEnd(s, r); err == nil {
		err = endErr
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		s.note("pikaci: print the run: %v", err)
	}
}

// reader is who watches the run; nobody where only the record is asked for.
func (x *execution) reader(s *session) report.Reader {
	switch x.flags.output {
	case "jsonl":
		return report.NewBeats(report.NewJSONL(s.stdout), x.board())
	case "human":
		if size := liveSize(s); size != nil {
			return report.NewLive(s.stderr, s.paint(s.stderr), x.board(), size)
		}
		return report.NewBeats(linesFor(s), x.board())
	}
	return nil
}

// printEnd prints what was asked for: the table, or the record. With jsonl all
// was said.
func (x *execution) printEnd(s *session, r record.Run) error {
	switch x.flags.output {
	case "human":
		return report.Table(s.stdout, r, s.paint(s.stdout))
	case "json":
		e := json.NewEncoder(s.stdout)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return nil
}

// infraRetries is how often a node is tried again that could not be carried
// out: the daemon was restarted, the pool was busy.
const infraRetries = 2

// groups are the concurrency groups of the host; nil, which keeps the lanes of
// this run apart only, where the plan asks for none.
func (x *execution) groups(runID string) (runtime.Groups, error) {
	if !slices.ContainsFunc(x.plan.Lanes, func(l plan.Lane) bool { return l.Chosen && l.ConcurrencyGroup != "" }) {
		return nil, nil
	}
	dir, err := group.HostDir()
	if err != nil {
		return nil, err
	}
	return &group.Locks{Dir: dir, Holder: fmt.Sprintf("run %s (pid %d)", runID, os.Getpid())}, nil
}

func (x *execution) config(e *executors, dir *record.Dir, journal *record.Journal, pump *report.Pump, abandon <-chan struct{}) runtime.Config {
	c := runtime.Config{
		Plan: x.plan, Version: ownVersion(),
		Run:    runtime.NewRunContext(x.stateRoot, dir.ID, x.source),
		Builds: e.nix, Hosts: e.host, Caches: e.host, Journal: journal, Secrets: x.secrets, Limits: x.limits,
		Job: x.flags.job, Capacity: x.capacity, FailFast: x.flags.failFast, Timeout: x.flags.timeout, PrepareOnly: x.flags.prepareOnly,
		AllowEmpty:   x.flags.allowEmpty,
		HostDigest:   x.hostDigest(),
		InfraRetries: infraRetries,
		Durations:    record.ReadDurations(x.stateRoot),
		Abandon:      abandon,
		NoCache:      x.flags.noCache,
	}
	store := &result.Store{StateRoot: x.stateRoot, Builds: e.nix, Guests: e.guests, Hosts: e.host}
	views := &snapshot.Views{Snapshot: c.Run.Snapshot}
	c.Results, c.Run.OwnSnapshot, c.Run.Views = store, ownSnapshot(c.Run.Snapshot), views
	if e.guests != nil {
		c.Instances, c.Guests, c.Releaser, c.Adopter = e.guests, e.guests, e.guests, e.guests
		c.Keeper = &keeper{instances: e.guests, stateRoot: x.stateRoot, run: dir.ID}
		c.Keep, c.KeepFor = runtime.Keep(x.flags.keep), x.flags.keepFor
	}
	if x.resumed != nil {
		c.Resume = &x.resumed.progress
	}
	c.HostSetup = func(ctx context.Context, argv []string) error { return x.hostSetup(ctx, dir, argv) }
	c.TakeSnapshot = func(ctx context.Context) (event.SnapshotTaken, error) {
		return x.takeSnapshot(ctx, dir, c.Run, views, store, pump.Event)
	}
	c.OpenJob = func(j *runtime.JobContext) (func() error, error) { return openJob(dir, j, journal, pump) }
	return c
}

// openJob opens the job's logs and shows what is written to them.
func openJob(dir *record.Dir, j *runtime.JobContext, journal *record.Journal, pump *report.Pump) (func() error, error) {
	id := j.Job.ID
	logs, err := dir.OpenLogs(id, slices.Collect(maps.Values(j.Secrets)), j.Limits.LogBytes, func(s event.Stream, p []byte) { pump.Output(id, s, p) })
	if err != nil {
		return nil, err
	}
	j.Logs = runtime.Logs{Host: logs.Host, Stdout: logs.Stdout, Stderr: logs.Stderr}
	return func() error {
		return logs.Close(func(s event.Stream, n int64) {
			journal.Append(event.Event{LogTruncated: &event.LogTruncated{Job: id, Stream: s, Bytes: n}}, event.Later)
		})
	}, nil
}

// hostSetup runs one host_setup command in the source tree; its output goes to
// a log of the run.
func (x *execution) hostSetup(ctx context.Context, dir *record.Dir, argv []string) error {
	log := dir.OpenSetupLog(slices.Collect(maps.Values(x.secrets)), x.limits.LogBytes)
	fmt.Fprintf(log, "pikaci: %s\n", strings.Join(argv, " "))
	err := host.Setup(ctx, x.source, argv, log)
	if _, closeErr := log.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("%w; its output is in %s", err, filepath.Join(dir.Path, "host-setup.log"))
	}
	return nil
}

func (x *execution) takeSnapshot(ctx context.Context, dir *record.Dir, run runtime.RunContext, views *snapshot.Views, store *result.Store, tell func(event.Event)) (event.SnapshotTaken, error) {
	var taken event.SnapshotTaken
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		taken.GitHead, taken.GitDirty = gitState(ctx, x.source)
	}()
	tree, earlier := x.sameAsBefore(ctx, run, store)
	var err error
	if earlier != "" {
		err = linkSnapshot(run, earlier)
	} else {
		tree, err = snapshot.TakeTree(ctx, x.source, run.Snapshot, snapshot.Filter{Exclude: x.plan.Snapshot.Exclude, Avoid: x.stateRoot},
			func(bytes, total int64) {
				tell(event.Event{Time: time.Now().UTC(), Transfer: &event.Transfer{Phase: event.Snapshot, Bytes: bytes, TotalBytes: total}})
			})
	}
	<-asked
	if err != nil {
		return event.SnapshotTaken{}, err
	}
	views.Know(tree)
	r := tree.Result()
	taken.ContentHash, taken.Files, taken.Bytes, taken.CopyOf = r.ContentHash, r.Files, r.Bytes, earlier
	return taken, dir.WriteSnapshot(x.source, taken)
}

// gitState is the commit of the source tree and whether it has changes; empty
// where it is no git tree, or has no commit.
func gitState(ctx context.Context, source string) (head string, dirty bool) {
	// One process says both: each takes longer to start than to answer.
	out, err := exec.CommandContext(ctx, "git", "-C", source, "status", "--porcelain=v2", "--branch", "--untracked-files=normal").Output()
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(out)) {
		switch oid, found := strings.CutPrefix(line, "# branch.oid "); {
		case found && !strings.HasPrefix(oid, "("):
			head = strings.TrimSpace(oid)
		case !strings.HasPrefix(line, "#"):
			dirty = true
		}
	}
	return head, dirty && head != ""
}

// interrupts turns the first signal, or another process's asking, into the end
// of the context, with a cause, and the signal after that into the channel's
// closing.
func interrupts(ctx context.Context, journal *record.Journal, asked <-chan struct{}) (context.Context, <-chan struct{}, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	abandon := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for ctx.Err() == nil {
			by := "pikaci cancel"
			select {
			case s := <-signals:
				by = unix.SignalName(s.(syscall.Signal))
			case <-asked:
			case <-done:
				return
			}
			cause := fmt.Errorf("%w by %s", runtime.ErrInterrupted, by)
			journal.Append(event.Event{Interrupted: &event.Interrupted{Reason: cause.Error()}}, event.Later)
			cancel(cause)
		}
		select {
		case <-signals:
			close(abandon)
		case <-done:
		}
	}()
	return ctx, abandon, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}
