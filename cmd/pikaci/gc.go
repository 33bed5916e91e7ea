package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/gc"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/record"
)

func gcCommand() command {
	return command{
		name:    "gc",
		args:    "[flags]",
		summary: "remove what runs without a live owner left: instances, processes, old directories",
		about: "gc removes the instances and processes of runs that were killed, run\n" +
			"directories but the newest, and caches that nobody used for long. It judges runs of one state root; what is of another one, or of a run\n" +
			"that goes on, is never touched. Nothing is removed unless all could be listed.\n" +
			"Exit code: 0 done, 4 something could not be listed or removed, 64 usage.",
		examples: []string{
			"pikaci gc --dry-run            # what would go, and why",
			"pikaci gc --keep 5             # all run directories but the newest five",
			"pikaci gc --run latest --json  # one run, for a program",
			"pikaci gc --run latest --kept  # and what exec --keep left of it",
		},
		flags: func(set *pflag.FlagSet) runner {
			f := &gcFlags{set: set}
			f.register(set)
			set.StringVar(&f.socket, "incus-socket", "", "`PATH` socket of the Incus server (default its usual place)")
			set.IntVar(&f.keep, "keep", 20, "`N` run directories that stay: the newest (default 20)")
			set.BoolVar(&f.dryRun, "dry-run", false, "print what would go and why, and remove nothing")
			set.BoolVar(&f.json, "json", false, "print all that was looked at as JSON")
			set.DurationVar(&f.olderThan, "older-than", 24*time.Hour, "`TIME` for which killed runs' directories and orphans stay (default 24h)")
			set.DurationVar(&f.cacheAge, "cache-age", 30*24*time.Hour, "`TIME` after its last use for which stays what lanes keep for host jobs\n(host_cache), and what was rendered of development shells (default 720h)")
			set.BoolVar(&f.kept, "kept", false, "also take instances that exec --keep left, before their time is over")
			set.BoolVar(&f.orphans, "orphans", false, "also take instances whose run directory is gone")
			set.StringVar(&f.run, "run", "", "`RUN` look at one run alone: its id, the beginning of it, or latest")
			return func(ctx context.Context, s *session, args []string) error {
				if err := noArguments("gc", args); err != nil {
					return err
				}
				return f.collect(ctx, s)
			}
		},
	}
}

type gcFlags struct {
	records
	set                   *pflag.FlagSet
	socket, run           string
	keep                  int
	olderThan, cacheAge   time.Duration
	dryRun, json, orphans bool
	kept                  bool
}

func (f *gcFlags) collect(ctx context.Context, s *session) error {
	if err := noneEmpty(f.set); err != nil {
		return err
	}
	if f.cacheAge < 0 {
		return usage("", "--cache-age %s: want 0s or more", f.cacheAge)
	}
	if f.keep < 0 {
		return usage("", "--keep %d: want 0 or more", f.keep)
	}
	o, err := f.options(ctx, s)
	if err != nil {
		return err
	}
	items, err := gc.Plan(ctx, o)
	if err != nil {
		return &exitError{code: exitBroken, message: "nothing is removed: " + err.Error()}
	}
	var failed error
	if !f.dryRun {
		failed = gc.Collect(ctx, o, items)
	}
	if f.json {
		err = printItemsJSON(s.stdout, items)
	} else {
		err = printItems(s.stdout, items, f.dryRun)
	}
	if failed != nil {
		return &exitError{code: exitBroken, message: "not all could be removed: " + failed.Error()}
	}
	return err
}

// options connects to the server, unless no run here ever made an instance.
func (f *gcFlags) options(ctx context.Context, s *session) (gc.Options, error) {
	root, runner, err := f.root(s)
	if err != nil {
		return gc.Options{}, err
	}
	o := gc.Options{StateRoot: root, Keep: f.keep, OlderThan: f.olderThan, CacheAge: f.cacheAge, Orphans: f.orphans, Kept: f.kept, Run: f.run, Now: time.Now()}
	if f.run != "" {
		// One whose directory is gone is known by its whole id alone.
		d, err := f.find(s, f.run)
		if err != nil && !(f.orphans && record.ValidID(f.run)) {
			return o, err
		}
		if err == nil {
			o.Run = d.ID
		}
	}
	id, err := record.RootID(root, false)
	if err != nil || id == "" {
		return o, err
	}
	in := runner.Incus
	if f.socket != "" {
		in.Socket = f.socket
	}
	server, err := incus.New(ctx, incus.Options{Socket: in.Socket, Project: in.Project, Root: id})
	if err != nil {
		return o, err
	}
	o.Server = server
	return o, nil
}

func printItemsJSON(w io.Writer, items []gc.Item) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Items []gc.Item `json:"items"`
	}{append([]gc.Item{}, items...)})
}

// printItems prints a line for each thing that goes, or that somebody may
// wonder about; what is simply kept is counted.
func printItems(w io.Writer, items []gc.Item, dry bool) error {
	kept, shared := 0, 0
	for _, i := range items {
		what := "instance " + i.Name
		switch i.Kind {
		case gc.RunDirectory:
			what = "directory " + i.Name
		case gc.Process:
			what = "process " + i.Name + " of job " + i.Job
		case gc.HostCache:
			what = "cache " + i.Name
		case gc.DevShell:
			what = "development shell " + i.Name
		}
		var err error
		switch {
		case i.Error != "":
			_, err = fmt.Fprintf(w, "not removed: %s: %s\n", what, i.Error)
		case i.Remove && dry:
			_, err = fmt.Fprintf(w, "would remove: %s: %s\n", what, i.Why)
		case i.Remove:
			_, err = fmt.Fprintf(w, "removed: %s: %s\n", what, i.Why)
		case i.Kind == gc.Instance:
			_, err = fmt.Fprintf(w, "kept: %s: %s\n", what, i.Why)
		case i.Kind == gc.HostCache || i.Kind == gc.DevShell:
			shared++
		default:
			kept++
		}
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "kept: %d run directories\n", kept)
	if shared > 0 && err == nil {
		_, err = fmt.Fprintf(w, "kept: %d caches and development shells\n", shared)
	}
	return err
}

// deadAgo is for how long a run must be dead before exec takes its instances
// by itself: whoever wants to resume it has that long.
const deadAgo = 10 * time.Minute

// sweep takes back instances of this state root's dead runs, and those whose time
// to be kept is over, while the run goes on. Where there are none it asks the server nothing. It returns what waits
// for its end.
func (x *execution) sweep(ctx context.Context, s *session, e *executors) func() {
	server, ok := e.guests.(gc.Server)
	now := time.Now()
	dead := append(gc.Dead(x.stateRoot, deadAgo, now), gc.KeptOver(x.stateRoot, now)...)
	if !ok || len(dead) == 0 {
		return func() {}
	}
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, runtime.CleanUpLimit)
		defer cancel()
		done <- gc.Sweep(ctx, gc.Options{StateRoot: x.stateRoot, Server: server, Now: time.Now()}, dead)
	}()
	return func() {
		if err := <-done; err != nil {
			s.note("pikaci: take back what killed runs left: %v", err)
		}
	}
}
