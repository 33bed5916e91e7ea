package main

import (
	"context"
	"errors"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
	hostfile "github.com/sledtools/pikaci/schema/runner"
)

func execCommand() command {
	return command{
		name:    "exec",
		args:    "PLAN [flags]",
		summary: "carry out a plan: build payloads, run jobs, record the verdict",
		about: "exec carries out a plan that compile wrote (a file, or - for stdin): it takes a\n" +
			"snapshot of the source tree, builds the payloads with Nix, runs each job in an\n" +
			"Incus instance of its own, and leaves nothing behind but the run's record.\n" +
			"Exit code: 0 passed, 1 failed, 3 plan refused, 4 could not be carried out,\n" +
			"5 nothing to run, 64 usage, 130 interrupted.",
		examples: []string{
			"pikaci exec plan.json                    # all jobs of the plan",
			"pikaci exec plan.json --job unit-tests   # one job, and those that it needs",
			"pikaci compile check-x | pikaci exec -   # without a file",
			"pikaci exec --resume latest              # carry on a run that was killed",
			"pikaci exec plan.json --dry-run          # what would be asked of Nix and Incus",
			"pikaci exec plan.json --output jsonl     # every event as a line of JSON",
		},
		flags: func(set *pflag.FlagSet) runner {
			flags := &execFlags{set: set}
			flags.register(set)
			return func(ctx context.Context, s *session, args []string) error {
				return runExec(ctx, s, *flags, args)
			}
		},
	}
}

func runExec(ctx context.Context, s *session, flags execFlags, args []string) error {
	if len(args) != 1 && (len(args) != 0 || flags.resume == "") {
		return usage("pikaci exec plan.json, or pikaci exec - for stdin", "exec takes one plan, and %d are given", len(args))
	}
	x, err := prepareExecution(ctx, flags, args, s)
	if errors.Is(err, errDone) {
		return nil
	}
	if err != nil {
		return err
	}
	if x.resumed != nil {
		defer x.resumed.lock.Release()
	}
	if flags.dryRun {
		return x.dryRun(s)
	}
	// The run has its own way with signals: it cleans up after the first.
	return x.run(context.WithoutCancel(ctx), s)
}

// execFlags are exec's flags.
type execFlags struct {
	set *pflag.FlagSet
	records

	lanes, output, job, runID, resume, keep              string
	socket, project, image, instanceType, pool           string
	parallel                                             int
	timeout, keepFor                                     time.Duration
	failFast, keepGoing, dryRun, prepareOnly, allowEmpty bool
	noCache                                              bool
}

func (f *execFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.source, "source", ".", "`DIR` tree that the snapshot is taken of (default .)")
	s.StringVar(&f.lanes, "lanes", "lanes", "`DIR` lane files in the source, to see whether the plan is stale (default lanes)")
	s.StringVar(&f.stateRoot, "state-root", "", "`DIR` where run records go (default PIKACI_STATE_ROOT, else .pikaci in the source)")
	s.StringVar(&f.output, "output", "human", "`human|jsonl|json` what to print: lines and a table, events as they happen,\nor the record at the end (default human)")
	s.IntVar(&f.parallel, "parallel", 0, "`N` commands at one time (default what the host's cpus and memory carry)")
	s.DurationVar(&f.timeout, "timeout", 0, "`TIME` the run may take, like 90m; what has not ended then has failed (default no limit)")
	s.BoolVar(&f.failFast, "fail-fast", false, "cancel the other jobs when one fails")
	s.BoolVar(&f.keepGoing, "keep-going", false, "let the other jobs go on when one fails (default)")
	s.StringVar(&f.keep, "keep", "", "`failed|always` leave the instances of these jobs for pikaci shell to look into")
	s.DurationVar(&f.keepFor, "keep-for", keepFor, "`TIME` after which gc takes what was kept (default 24h)")
	s.StringVar(&f.job, "job", "", "`ID[,ID...]` run these jobs alone, and those that they need")
	s.StringVar(&f.runID, "run-id", "", "`ID` the run's id (default a new one that sorts by time)")
	s.StringVar(&f.resume, "resume", "", "`RUN` carry on a run that was killed: its id, the beginning of it, or latest")
	s.BoolVar(&f.dryRun, "dry-run", false, "print every Nix command and Incus request as JSON and make none")
	s.BoolVar(&f.prepareOnly, "prepare-only", false, "build the payloads and stop")
	s.BoolVar(&f.noCache, "no-cache", false, "run every job, also those that passed in an earlier run with nothing changed")
	s.BoolVar(&f.allowEmpty, "allow-empty", false, "exit with 0, not 5, when there is nothing to run")
	s.StringVar(&f.runnerFile, "runner", "", "`FILE` what this host decides and allows (default "+hostfile.DefaultPath+", if there)")
	s.StringVar(&f.socket, "incus-socket", "", "`PATH` socket of the Incus server (default its usual place)")
	s.StringVar(&f.project, "incus-project", "", "`NAME` Incus project (default default)")
	s.StringVar(&f.image, "image", "", "`IMAGE` image in place of the plan's")
	s.StringVar(&f.instanceType, "instance-type", "", "`container|virtual-machine` in place of the plan's")
	s.StringVar(&f.pool, "storage-pool", "", "`NAME` storage pool for root disks (default the profiles' own)")
}

// execution is all that is known before anything runs.
type execution struct {
	flags execFlags
	plan  *plan.Plan
	// planText is the plan as it was given, before the host's overrides: with
	// its digest, it can be carried out again.
	planText []byte
	runner   *hostfile.File
	// jobs are those that run: of the others nothing is asked for.
	jobs []plan.Job
	// source and stateRoot are absolute.
	source, stateRoot string
	capacity          runtime.Capacity
	// resumed is nil for a new run.
	resumed *resumed
	limits  runtime.Limits
	secrets map[string]string
	fromEnv func(string) (string, bool)
}

// prepareExecution reads and refuses everything that can be refused before the
// first side effect.
func prepareExecution(ctx context.Context, flags execFlags, args []string, s *session) (x *execution, err error) {
	if err := flags.check(); err != nil {
		return nil, err
	}
	x = &execution{flags: flags, fromEnv: s.lookupEnv}
	if flags.resume == "" {
		return x, x.prepare(args[0], s)
	}
	if err := x.reopen(s); err != nil {
		return nil, err
	}
	err = x.prepare(x.planFile(args), s)
	if err == nil {
		err = x.refuseOther()
	}
	if err == nil {
		err = x.refuseOtherTree(ctx)
	}
	if err != nil {
		x.resumed.lock.Release()
	}
	return x, err
}

// prepare reads plan, runner file and secrets.
func (x *execution) prepare(planFile string, s *session) error {
	p, text, err := readPlanText(planFile, s.stdin)
	if err != nil {
		return err
	}
	x.plan, x.planText = p, text
	if x.source, err = filepath.Abs(x.flags.source); err != nil {
		return usage("", "--source: %v", err)
	}
	if err := refuseStale(p, x.source, x.flags.lanes); err != nil {
		return err
	}
	if x.runner, err = readRunner(x.flags.runnerFile); err != nil {
		return err
	}
	x.override()
	if err := x.runner.Refuse(p); err != nil {
		return invalid("ceilings and granted secrets stand in the runner file",
			"the plan asks for more than this runner allows:\n    %s", strings.ReplaceAll(err.Error(), "\n", "\n    "))
	}
	if err := x.take(); err != nil {
		return err
	}
	if x.secrets, err = x.runner.Values(x.jobs, x.fromEnv); err != nil {
		return &exitError{code: exitBroken, message: err.Error(),
			hint: "the runner file says where the values of secrets are"}
	}
	return x.settle()
}

func (f *execFlags) check() error {
	if err := noneEmpty(f.set); err != nil {
		return err
	}
	if err := oneOf("--output", f.output, []string{"human", "jsonl", "json"}); err != nil {
		return err
	}
	if f.failFast && f.keepGoing {
		return usage("", "--fail-fast and --keep-going exclude each other")
	}
	if f.parallel < 0 || f.parallel == 0 && f.set.Changed("parallel") {
		return usage("", "--parallel %d: want 1 or more", f.parallel)
	}
	if f.timeout < 0 || f.timeout == 0 && f.set.Changed("timeout") {
		return usage("", "--timeout %s: want more than 0", f.timeout)
	}
	if f.runID != "" && !record.ValidID(f.runID) {
		return usage("", "--run-id %q: want letters, digits, dot, underscore and dash, at most 64", f.runID)
	}
	if f.dryRun && f.prepareOnly {
		return usage("", "--dry-run and --prepare-only exclude each other")
	}
	if err := f.checkKeep(); err != nil {
		return err
	}
	if f.resume != "" {
		if err := f.checkResume(); err != nil {
			return err
		}
	}
	if f.instanceType == "" {
		return nil
	}
	return oneOf("--instance-type", f.instanceType, []string{string(plan.Container), string(plan.VirtualMachine)})
}

// checkResume refuses what a run was asked for when it began.
func (f *execFlags) checkResume() error {
	for _, name := range []string{"run-id", "job", "timeout", "fail-fast", "keep-going", "prepare-only", "no-cache", "dry-run"} {
		if f.set.Changed(name) {
			return usage("a resumed run goes on as it was started", "--resume and --%s exclude each other", name)
		}
	}
	return nil
}

// override puts flags before the runner file, and that before the plan.
func (x *execution) override() {
	in := &x.runner.Incus
	for _, o := range []struct {
		flag string
		to   *string
	}{{x.flags.socket, &in.Socket}, {x.flags.project, &in.Project}, {x.flags.image, &in.Image}, {x.flags.pool, &in.StoragePool}} {
		if o.flag != "" {
			*o.to = o.flag
		}
	}
	if x.flags.instanceType != "" {
		in.InstanceType = plan.InstanceType(x.flags.instanceType)
	}
	if in.Project == "" {
		in.Project = "default"
	}
	x.runner.Override(x.plan)
}

// take finds the jobs that run: all, or those of --job and what they need.
func (x *execution) take() error {
	var ids []string
	wanted := runtime.Wanted(x.plan, x.flags.job)
	for _, j := range x.plan.Jobs {
		ids = append(ids, j.ID)
		if wanted[j.ID] {
			x.jobs = append(x.jobs, j)
		}
	}
	if x.flags.job == "" {
		return nil
	}
	for id := range strings.SplitSeq(x.flags.job, ",") {
		if !slices.Contains(ids, id) {
			return usage(didYouMean(nearest(id, ids), "the plan's jobs: "+strings.Join(ids, ", ")),
				"no job of this plan is named %q", id)
		}
	}
	return nil
}

// settle works out where records go and how much runs at one time.
func (x *execution) settle() error {
	var err error
	if x.stateRoot, err = stateRootOf(x.flags.stateRoot, x.fromEnv, x.runner, x.source); err != nil {
		return err
	}
	c := x.runner.Ceilings
	x.capacity.Commands = x.flags.parallel
	if x.capacity.Commands == 0 {
		x.capacity.Commands = x.runner.Parallel
	}
	if x.capacity.Commands == 0 {
		x.capacity = runtime.Capacity{CPUs: goruntime.NumCPU(), MemoryMiB: hostMemoryMiB()}
	}
	if most := c.Parallel; most > 0 && (x.capacity.Commands == 0 || x.capacity.Commands > most) {
		x.capacity.Commands = most
	}
	x.limits = runtime.Limits{LogBytes: 2 << 30, ArtifactBytes: 1 << 30, ArtifactFiles: 10_000}
	if c.LogBytes > 0 {
		x.limits.LogBytes = c.LogBytes
	}
	if c.ArtifactBytes > 0 {
		x.limits.ArtifactBytes = c.ArtifactBytes
	}
	if c.ArtifactFiles > 0 {
		x.limits.ArtifactFiles = c.ArtifactFiles
	}
	return nil
}

func hostMemoryMiB() int {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 1 << 10
	}
	return int(info.Totalram * uint64(info.Unit) >> 20)
}

// lookupEnv is os.LookupEnv of the session.
func (s *session) lookupEnv(name string) (string, bool) {
	for _, pair := range s.env {
		if k, v, ok := strings.Cut(pair, "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}
