package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

func schemaCommand() command {
	return command{
		name:    "schema",
		args:    "lanes|plan|events|run [flags]",
		summary: "print the schema of lane files, plans, events or run.json",
		about: "schema prints the schema that this pikaci holds lane files or plans against, as\n" +
			"CUE or as JSON Schema, or that of the events of a run or of its run.json, as\n" +
			"JSON Schema.",
		examples: []string{
			"pikaci schema lanes                      # what a lane file may hold",
			"pikaci schema plan --format jsonschema   # for programs that read plans",
			"pikaci schema events                     # for programs that read exec --output jsonl",
			"pikaci schema run                        # for programs that read run.json",
		},
		flags: func(set *pflag.FlagSet) runner {
			format := set.String("format", "cue", "`cue|jsonschema` language to write it in (default cue; of events and run jsonschema)")
			return func(_ context.Context, s *session, args []string) error {
				if len(args) == 1 && recordSchemas[args[0]] != nil {
					return printRecordSchema(s, args[0], set.Changed("format"), *format)
				}
				return runSchema(s, *format, args)
			}
		},
	}
}

func runSchema(s *session, format string, args []string) error {
	switch {
	case len(args) == 0:
		return usage("pikaci schema lanes, plan, events or run", "schema of what is not said")
	case len(args) > 1:
		return usage("", "schema takes one name, and %q is given too", args[1])
	}
	if err := oneOf("schema", args[0], append(compiler.SchemaNames(), "events", "run")); err != nil {
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

// recordSchemas are the schemas that are not the compiler's.
var recordSchemas = map[string]func() string{"events": event.Schema, "run": record.RunSchema}

func printRecordSchema(s *session, name string, said bool, format string) error {
	if said && format != "jsonschema" {
		if err := oneOf("--format", format, compiler.SchemaFormats()); err != nil {
			return err
		}
		return usage("leave out --format", "the schema of %s is there in jsonschema only", name)
	}
	_, err := io.WriteString(s.stdout, recordSchemas[name]())
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
