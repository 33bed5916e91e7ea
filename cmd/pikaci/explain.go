package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
)

// maxPartValue is how many bytes a line of a list shows of a value.
const maxPartValue = 60

func explainCommand() command {
	return command{
		name:    "explain",
		args:    "PATH|RUN JOB [flags]",
		summary: "say where a value of a lane comes from, or why a job ended as it did",
		about: `explain prints the value of a field and every place that had a say in it: where
a lane sets it, the template that it comes from, what an expression uses, the
schema, or the default. PATH is the path of a field, a shorter one that begins
with the id of a lane or job, a node's id, or the name of an output. A lane, a
job or a node is told field by field.

Of two names, the first is a run and the second a job of it: explain says why
its lane was chosen, what it waited for and how long, how it ended, and what it
printed last. ` + aboutRun,
		examples: []string{
			"pikaci explain lanes.fixture.jobs.pikahut-clippy.timeout_secs",
			"pikaci explain pikahut-clippy.timeout_secs     # the same, shorter",
			"pikaci explain fixture.concurrency_group       # of a lane",
			"pikaci explain prepare-pikahut-clippy-runner   # a node",
			"pikaci explain ci.x86_64-linux.workspaceDeps   # a payload",
			"pikaci explain latest pikahut-clippy           # a job of a run",
		},
		flags: func(set *pflag.FlagSet) runner {
			lanes := set.String("lanes", "lanes", "`DIR` folder of the lane files (default ./lanes)")
			asJSON := set.Bool("json", false, "print it as JSON")
			var r records
			r.register(set)
			return func(ctx context.Context, s *session, args []string) error {
				if len(args) == 2 {
					return explainJob(s, set, &r, *asJSON, args)
				}
				for _, name := range []string{"state-root", "source", "runner"} {
					if set.Changed(name) {
						return usage("pikaci explain latest JOB", "--%s is for a job of a run: name both", name)
					}
				}
				return runExplain(ctx, s, *lanes, *asJSON, args)
			}
		},
	}
}

func runExplain(ctx context.Context, s *session, lanes string, asJSON bool, args []string) error {
	switch {
	case lanes == "":
		return usage("", "--lanes is empty")
	case len(args) == 0 || args[0] == "":
		return usage("name a field, a lane, a job, a node or an output: pikaci explain fixture.title", "explain of what is not said")
	case len(args) > 2:
		return usage("", "explain takes a path, or a run and a job, and %q is given too", args[2])
	}
	x, err := awaited(ctx, func() (*compiler.Explanation, error) { return compiler.Explain(lanes, args[0]) })
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(s.stdout)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(x)
	}
	_, err = io.WriteString(s.stdout, printable(explained(x)))
	return err
}

// explained is an explanation for a person: the value, what the schema says,
// the places; of what has parts a line for each.
func explained(x *compiler.Explanation) string {
	var b strings.Builder
	b.WriteString(x.Path)
	if len(x.Parts) == 0 {
		fmt.Fprintf(&b, " = %s", valueOf(x, 0))
	}
	b.WriteByte('\n')
	if x.Doc != "" {
		fmt.Fprintf(&b, "    %s\n", x.Doc)
	}
	writeSays(&b, x.Says)
	if len(x.Parts) == 0 {
		return b.String()
	}
	t := tableWriter(&b)
	for i := range x.Parts {
		part := &x.Parts[i]
		fmt.Fprintf(t, "  %s\t= %s\t%s\n", oneLine(strings.TrimPrefix(part.Path, x.Path+".")), valueOf(part, maxPartValue), first(part))
	}
	t.Flush()
	return b.String()
}

// tableWriter aligns columns and takes no byte of a text for its own marks.
func tableWriter(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func writeSays(b *strings.Builder, says []compiler.Say) {
	t := tableWriter(b)
	for _, s := range says {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", s.Kind, s.Position, oneLine(s.Text))
	}
	t.Flush()
}

// valueOf is a value on one line, cut where most is not 0.
func valueOf(x *compiler.Explanation, most int) string {
	if len(x.Value) == 0 {
		return "(not set)"
	}
	var one bytes.Buffer
	if json.Compact(&one, x.Value) != nil {
		return string(x.Value)
	}
	s := one.String()
	if most > 0 && len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	if x.Default {
		s += " (default)"
	}
	return s
}

// first is the place that matters most to a value: where it is set.
func first(x *compiler.Explanation) string {
	if len(x.Says) == 0 {
		return ""
	}
	s := x.Says[0]
	if x.Default {
		return s.Position.String()
	}
	return s.Kind + " " + s.Position.String()
}
