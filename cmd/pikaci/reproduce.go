package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

func reproduceCommand() command {
	return command{
		name:    "reproduce",
		args:    "RUN JOB [flags]",
		summary: "print the commands that do by hand what a run did",
		about: "reproduce prints a shell script that does with nix and incus alone what a run did\n" +
			"for one of its jobs, on the run's snapshot and payloads: build, instance, command.\n" +
			"It changes nothing itself. Values of secrets are taken from the environment of\n" +
			"whoever runs the script. Host and runner file should be those of the run. " + aboutRun,
		examples: []string{
			"pikaci reproduce latest unit-tests          # to read, or to take lines from",
			"pikaci reproduce latest unit-tests | sh     # the job's exit code is the script's",
		},
		flags: func(set *pflag.FlagSet) runner {
			flags := &execFlags{set: set}
			set.StringVar(&flags.project, "incus-project", "", "`NAME` Incus project (default the run's)")
			set.StringVar(&flags.image, "image", "", "`IMAGE` image in place of the plan's")
			set.StringVar(&flags.instanceType, "instance-type", "", "`container|virtual-machine` in place of the plan's")
			set.StringVar(&flags.pool, "storage-pool", "", "`NAME` storage pool for the root disk (default the profiles' own)")
			flags.records.register(set)
			return func(_ context.Context, s *session, args []string) error {
				return runReproduce(s, *flags, args)
			}
		},
	}
}

func runReproduce(s *session, flags execFlags, args []string) error {
	if len(args) != 2 {
		return usage("pikaci reproduce latest unit-tests", "reproduce takes a run and a job, and %d are given", len(args))
	}
	if err := noneEmpty(flags.set); err != nil {
		return err
	}
	if flags.instanceType != "" {
		if err := oneOf("--instance-type", flags.instanceType, []string{string(plan.Container), string(plan.VirtualMachine)}); err != nil {
			return err
		}
	}
	dir, err := flags.find(s, args[0])
	if err != nil {
		return err
	}
	past, err := dir.Read()
	if err != nil {
		return err
	}
	if _, err := jobOf(past.Run, args[1]); err != nil {
		return err
	}
	if flags.project == "" {
		flags.project = projectOf(dir, args[1])
	}
	x := &execution{flags: flags, fromEnv: s.lookupEnv}
	if x.plan, err = dir.Plan(); err != nil {
		return err
	}
	if x.runner, err = readRunner(flags.runnerFile); err != nil {
		return err
	}
	x.override()
	script, err := x.byHand(dir, past.Run, args[1])
	if err != nil {
		return err
	}
	_, err = io.WriteString(s.stdout, script)
	return err
}

// projectOf is the Incus project in which the run made the job's instance;
// empty where it made none.
func projectOf(dir *record.Dir, job string) string {
	project := ""
	dir.Events(func(e event.Event) error {
		if e.LeaseIntended != nil && e.LeaseIntended.Job == job {
			project = e.LeaseIntended.Project
		}
		return nil
	})
	return project
}

// byHand is the script for one job.
func (x *execution) byHand(dir *record.Dir, r record.Run, job string) (string, error) {
	run := runtime.RunContext{ID: r.ID, StateRoot: dir.StateRoot(), Dir: dir.Path,
		SourceRoot: r.SourceRoot, Snapshot: filepath.Join(dir.Path, "snapshot")}
	// Nix takes no link for a flake's folder.
	if real, err := filepath.EvalSymlinks(run.Snapshot); err == nil {
		run.Snapshot = real
	}
	j := runtime.Contexts(x.plan, &run, job, nil, runtime.Limits{})[job]
	if j == nil {
		return "", fmt.Errorf("the plan of run %s does not have job %s", r.ID, job)
	}
	lines := []string{"#!/bin/sh", "# Job " + job + " of run " + r.ID + ", by hand.", "set -eu"}
	var command []string
	for i := range x.plan.Nodes {
		n := &x.plan.Nodes[i]
		switch {
		case n.NixBuild != nil && slices.Contains(n.Jobs, job):
			lines = append(lines, x.buildByHand(n, &run)...)
		case n.ID == plan.ExecuteID(job):
			command = n.Command()
		}
	}
	if _, err := os.Stat(j.Workspace()); j.Job.Reads != nil && err != nil {
		lines = append(lines, "# "+neverRan(r, job))
	} else if j.Job.Host() {
		lines = append(lines, x.hostByHand(j, command)...)
	} else {
		guest, err := incus.ByHand(x.incusOptions(), j, command, shellQuoted)
		if err != nil {
			lines = append(lines, "# The run did not get further: "+printable(oneLine(err.Error())))
		} else {
			lines = append(lines, "name=pikaci-by-hand-$$")
			lines = append(lines, guest...)
		}
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// neverRan says where there is no folder of what a job reads: it was not carried
// out in this run.
func neverRan(r record.Run, job string) string {
	if j, err := jobOf(r, job); err == nil && j.CachedFrom != "" {
		return "The job did not run here: its pass is of run " + j.CachedFrom + ". See: pikaci reproduce " + j.CachedFrom + " " + job
	}
	return "The run did not get further: the job was not carried out."
}

// buildByHand is a build as a run asks Nix for it, but for its root: the
// record is left as it is.
func (x *execution) buildByHand(n *plan.Node, run *runtime.RunContext) []string {
	argv := nix.New(nix.Options{Settings: x.runner.Nix.Settings}).Command(n)
	if at := slices.Index(argv, "--out-link"); at >= 0 {
		argv = slices.Replace(slices.Clone(argv), at, at+2, "--no-link")
	}
	return []string{"# " + printable(oneLine(n.Description)) + ".", "(cd " + shellQuoted(filepath.Dir(run.Snapshot)) + " && " + quotedAll(argv) + ")"}
}

// hostByHand is a host job in a copy of the snapshot.
func (x *execution) hostByHand(j *runtime.JobContext, command []string) []string {
	env := j.Environment("")
	delete(env, "PIKACI_ARTIFACTS")
	words := []string{"env", "-i"}
	for _, name := range append([]string{"PATH"}, x.runner.HostEnv...) {
		words = append(words, "${"+name+"+\""+name+"=$"+name+"\"}")
	}
	for _, key := range slices.Sorted(maps.Keys(env)) {
		if slices.Contains(j.Job.Secrets, key) {
			words = append(words, "\""+key+"=$"+key+"\"")
		} else {
			words = append(words, shellQuoted(key+"="+env[key]))
		}
	}
	words = append(words, `"HOME=$dir/home"`, `"PIKACI_ARTIFACTS=$dir/artifacts"`)
	return []string{"# A host job, in a copy of the snapshot of its own.", "dir=$(mktemp -d)", `trap 'rm -rf "$dir"' EXIT`,
		`mkdir "$dir/home" "$dir/artifacts"`, "cp -a " + shellQuoted(j.Workspace()) + ` "$dir/workspace"`,
		`cd "$dir/workspace"/` + shellQuoted(j.Job.WorkingDir), strings.Join(words, " ") + " " + quotedAll(command)}
}

func quotedAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = shellQuoted(w)
	}
	return strings.Join(quoted, " ")
}
