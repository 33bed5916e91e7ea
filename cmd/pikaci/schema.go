package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/runtime/event"
)

func schemaCommand() command {
	return command{
		name:    "schema",
		args:    "lanes|plan|events [flags]",
		summary: "print the schema of lane files, plans or events",
		about: "schema prints the schema that this pikaci holds lane files or plans against, as\n" +
			"CUE or as JSON Schema, or that of the events of a run, as JSON Schema.",
		examples: []string{
			"pikaci schema lanes                      # what a lane file may hold",
			"pikaci schema plan --format jsonschema   # for programs that read plans",
			"pikaci schema events                     # for programs that read exec --output jsonl",
		},
		flags: func(set *pflag.FlagSet) runner {
			format := set.String("format", "cue", "`cue|jsonschema` language to write it in (default cue; of events jsonschema)")
			return func(_ context.Context, s *session, args []string) error {
				if len(args) == 1 && args[0] == eventsSchema {
					return printEventsSchema(s, set.Changed("format"), *format)
				}
				return runSchema(s, *format, args)
			}
		},
	}
}

func runSchema(s *session, format string, args []string) error {
	switch {
	case len(args) == 0:
		return usage("pikaci schema lanes, plan or events", "schema of what is not said")
	case len(args) > 1:
		return usage("", "schema takes one name, and %q is given too", args[1])
	}
	if err := oneOf("schema", args[0], append(compiler.SchemaNames(), eventsSchema)); err != nil {
		return err
	}
	if err := oneOf("--format", format, compiler.SchemaFormats()); err != nil {
		return err
	}
	b, err := compiler.Schema(args[0], format)
	if err != nil {
		return err
	}
	_, err = s.stdout.Write(b)
	return err
}

// eventsSchema is the schema that is not the compiler's.
const eventsSchema = "events"

func printEventsSchema(s *session, said bool, format string) error {
	if said && format != "jsonschema" {
		if err := oneOf("--format", format, compiler.SchemaFormats()); err != nil {
			return err
		}
		return usage("leave out --format", "events have a schema in jsonschema only")
	}
	_, err := io.WriteString(s.stdout, event.Schema())
	return err
}

// oneOf refuses a value that is not of a list.
func oneOf(what, value string, values []string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return usage(didYouMean(nearest(value, values), ""),
		"%s can't be %q: want %s", what, value, orList(values))
}

// orList is "a, b or c".
func orList(values []string) string {
	last := len(values) - 1
	if last < 1 {
		return strings.Join(values, "")
	}
	return strings.Join(values[:last], ", ") + " or " + values[last]
}
