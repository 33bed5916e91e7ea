package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

func helpCommand() command {
	return command{
		name:     "help",
		args:     "[COMMAND]",
		summary:  "print the help of a command",
		about:    "help prints what a command does, its flags and examples.",
		examples: []string{"pikaci help compile"},
		flags:    func(*pflag.FlagSet) runner { return runHelp },
	}
}

func runHelp(_ context.Context, s *session, args []string) error {
	if len(args) == 0 {
		return overview(s.stdout)
	}
	if len(args) > 1 {
		return usage("", "help takes one command, and %q is given too", args[1])
	}
	c, err := findCommand(args[0])
	if err != nil {
		return err
	}
	return c.help(s.stdout)
}

// overview is the help of pikaci itself.
func overview(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`pikaci compiles lane files to a plan and carries it out.

Usage:
  pikaci COMMAND [flags]

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-11s %s\n", c.name, c.summary)
	}
	b.WriteString(`
Examples:
  pikaci compile                     # the plan of all branch lanes, to stdout
  pikaci compile fixture -o plan.json
  pikaci help compile                # all that compile can do

Flags:
  -h, --help      print this help
      --version   print the version
`)
	_, err := io.WriteString(w, b.String())
	return err
}

// help is the help of one command.
func (c *command) help(w io.Writer) error {
	set, _ := c.flagSet()
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n", c.about, strings.TrimSpace("pikaci "+c.name+" "+c.args))
	if len(c.examples) > 0 {
		fmt.Fprintf(&b, "\nExamples:\n  %s\n", strings.Join(c.examples, "\n  "))
	}
	fmt.Fprintf(&b, "\nFlags:\n%s", flagUsages(set))
	_, err := io.WriteString(w, b.String())
	return err
}

// flagUsage parts the name of a flag's value from what it does: its usage begins
// with that name in backquotes, where it has one.
func flagUsage(f *pflag.Flag) (value, about string) {
	rest, ok := strings.CutPrefix(f.Usage, "`")
	if !ok {
		return "", f.Usage
	}
	value, about, _ = strings.Cut(rest, "` ")
	return value, about
}

// flagUsages lists flags and what they do, aligned. pflag's own listing repeats
// the name of the value in the text and spells out values that nobody types.
func flagUsages(set *pflag.FlagSet) string {
	type row struct{ flag, text string }
	var rows []row
	width := 0
	set.VisitAll(func(f *pflag.Flag) {
		r := row{flag: "      --" + f.Name, text: f.Usage}
		if f.Shorthand != "" {
			r.flag = "  -" + f.Shorthand + ", --" + f.Name
		}
		if value, text := flagUsage(f); value != "" {
			r.flag, r.text = r.flag+" "+value, text
		}
		rows = append(rows, r)
		width = max(width, len(r.flag))
	})
	var b strings.Builder
	for _, r := range rows {
		text := strings.ReplaceAll(r.text, "\n", "\n"+strings.Repeat(" ", width+3))
		fmt.Fprintf(&b, "%-*s   %s\n", width, r.flag, text)
	}
	return b.String()
}
