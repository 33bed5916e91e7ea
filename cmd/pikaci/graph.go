package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/schema/plan"
	"github.com/sledtools/pikaci/schema/plan/draw"
)

// graphFlags are graph's flags as given.
type graphFlags struct {
	lanes, job, trigger, format, output string
}

func graphCommand() command {
	return command{
		name:    "graph",
		args:    "[LANE...|PLAN] [flags]",
		summary: "draw the graph of lanes or of a plan",
		about: `graph draws what waits for what: a picture (svg), a text for Graphviz (dot) or
for review pages and READMEs (mermaid), or the same for programs (json). LANE
and the flags choose as they do for compile; a PLAN ends in .json.

Nodes stand in groups by lane; a build that several lanes share stands once and
has a double line. The thick red line is the critical path by the time limits of
the jobs: no run is faster than its longest chain. Edges that others imply are
left out of all but json.`,
		examples: []string{
			"pikaci graph -o plan.svg                  # all branch lanes, as a picture",
			"pikaci graph check-fixture                # one lane, for a review page",
			"pikaci graph --format dot | xdot -        # with Graphviz",
			"pikaci graph plan.json --format json      # of a compiled plan",
		},
		flags: func(set *pflag.FlagSet) runner {
			f := new(graphFlags)
			set.StringVar(&f.lanes, "lanes", "lanes", "`DIR` folder of the lane files (default ./lanes)")
			set.StringVar(&f.job, "job", "", "`ID` draw this job alone, and those that it needs")
			set.StringVar(&f.trigger, "trigger", "", "`branch|nightly` draw the lanes of this trigger (default branch)")
			set.StringVar(&f.format, "format", "", "`dot|mermaid|svg|json` what to write (default by the name of -o, else mermaid)")
			set.StringVarP(&f.output, "output", "o", "", "`FILE` write here, whole or not at all (default stdout)")
			return func(ctx context.Context, s *session, args []string) error {
				return runGraph(ctx, s, set, f, args)
			}
		},
	}
}

func runGraph(ctx context.Context, s *session, set *pflag.FlagSet, f *graphFlags, args []string) error {
	if err := f.validate(set, args); err != nil {
		return err
	}
	p, err := f.plan(ctx, s, args)
	if err != nil {
		return err
	}
	s.explain(p, false)
	b, err := drawn(draw.New(p), f.format)
	if err != nil {
		return err
	}
	if f.output == "" || f.output == "-" {
		_, err = s.stdout.Write(b)
		return err
	}
	return writeFile(f.output, b)
}

func drawn(g *draw.Graph, format string) ([]byte, error) {
	switch format {
	case "dot":
		return []byte(g.Dot()), nil
	case "svg":
		return []byte(g.SVG()), nil
	case "json":
		return g.JSON()
	}
	return []byte(g.Mermaid()), nil
}

// validate settles the format and refuses flags that don't go together.
func (f *graphFlags) validate(set *pflag.FlagSet, args []string) error {
	for _, empty := range []string{"lanes", "job", "trigger", "format", "output"} {
		if given := set.Lookup(empty); given.Changed && given.Value.String() == "" {
			return usage("", "--%s is empty", empty)
		}
	}
	if f.format == "" {
		f.format = formatOf(f.output)
	}
	if err := oneOf("--format", f.format, []string{"dot", "mermaid", "svg", "json"}); err != nil {
		return err
	}
	if f.trigger != "" {
		if err := oneOf("--trigger", f.trigger, []string{string(plan.Branch), string(plan.Nightly)}); err != nil {
			return err
		}
		if len(args) > 0 {
			return usage("a lane that is named is taken whatever its trigger", "--trigger and LANE exclude each other")
		}
	}
	if len(args) > 0 && isPlanFile(args[0]) {
		for _, other := range []string{"lanes", "job"} {
			if set.Changed(other) {
				return usage("", "--%s chooses from lane files, and %s is a plan", other, args[0])
			}
		}
		if len(args) > 1 {
			return usage("", "a plan is drawn alone, and %q is given too", args[1])
		}
	}
	return nil
}

// formatOf is the format that a file's name asks for.
func formatOf(name string) string {
	switch ext := strings.TrimPrefix(filepath.Ext(name), "."); ext {
	case "svg", "json", "dot":
		return ext
	case "gv":
		return "dot"
	}
	return "mermaid"
}

func (f *graphFlags) plan(ctx context.Context, s *session, args []string) (*plan.Plan, error) {
	if len(args) > 0 && isPlanFile(args[0]) {
		return awaited(ctx, func() (*plan.Plan, error) { return readPlan(args[0], s.stdin) })
	}
	return awaited(ctx, func() (*plan.Plan, error) {
		c, err := compiler.Load(f.lanes)
		if err != nil {
			return nil, err
		}
		return c.Compile(compiler.Select{Lanes: args, Job: f.job, Trigger: plan.Trigger(f.trigger)})
	})
}
