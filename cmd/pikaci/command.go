package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
)

// session is one call of pikaci, with all that it may touch.
type session struct {
	// args are the arguments without the program's name.
	args   []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	// env are NAME=value pairs, as os.Environ gives them.
	env []string

	// errorFormat is how mistakes are printed; empty is text.
	errorFormat string
	// warnings are printed at the end, whatever came of the call.
	warnings compiler.Diagnostics
}

// command is one subcommand. To add one, write it in a file of its own and
// name it in commands.
type command struct {
	name string
	// args stands behind the name in the usage line, like "[LANE...]".
	args string
	// summary is a line of the list of commands.
	summary string
	// about is what its help says before the flags.
	about string
	// examples are lines of its help: a command and, behind #, what it does.
	examples []string
	// flags declares the command's flags and gives what runs it once they
	// have their values.
	flags func(*pflag.FlagSet) runner
}

// runner carries a command out. Its error is what report knows to print.
type runner func(ctx context.Context, s *session, args []string) error

// commands is the table of subcommands, in the order of the help.
func commands() []command {
	return []command{
		initCommand(),
		compileCommand(),
		execCommand(),
		runsCommand(),
		statusCommand(),
		logsCommand(),
		artifactsCommand(),
		payloadsCommand(),
		rerunCommand(),
		whySlowCommand(),
		trendsCommand(),
		reportCommand(),
		reproduceCommand(),
		shellCommand(),
		cancelCommand(),
		gcCommand(),
		diffCommand(),
		graphCommand(),
		explainCommand(),
		fmtCommand(),
		schemaCommand(),
		completionCommand(),
		versionCommand(),
		helpCommand(),
	}
}

// run is pikaci without the process around it: it gives the exit code.
func run(ctx context.Context, s session) int {
	out := &output{w: s.stdout}
	s.stdout = out
	err := dispatch(ctx, &s)
	var ended *verdictError
	if out.err != nil && !errors.As(err, &ended) && s.args[0] != "exec" && s.args[0] != "rerun" {
		// What was printed is cut off: whatever else came of it, that it is
		// not whole must be told. Only a run's verdict stands above it.
		err = out.err
	}
	return s.report(ctx, err)
}

func dispatch(ctx context.Context, s *session) error {
	if len(s.args) == 0 {
		return usage("pikaci --help lists the commands", "no command is given")
	}
	name, rest := s.args[0], s.args[1:]
	switch name {
	case "--help", "-h":
		return overview(s.stdout)
	case "--version":
		return printVersion(s.stdout)
	}
	if strings.HasPrefix(name, "-") {
		return usage("flags follow the command, like pikaci compile --list; pikaci --help lists the commands",
			"%s is not a flag of pikaci itself", name)
	}
	c, err := findCommand(name)
	if err != nil {
		return err
	}
	return c.call(ctx, s, rest)
}

func findCommand(name string) (*command, error) {
	all := commands()
	var names []string
	for i := range all {
		if all[i].name == name {
			return &all[i], nil
		}
		names = append(names, all[i].name)
	}
	return nil, usage(didYouMean(nearest(name, names), "pikaci --help lists the commands"),
		"no command is named %q", name)
}

func (c *command) call(ctx context.Context, s *session, args []string) error {
	set, runs := c.flagSet()
	if err := set.Parse(args); err != nil {
		return c.flagError(set, err)
	}
	if set.Changed("help") {
		return c.help(s.stdout)
	}
	return runs(ctx, s, set.Args())
}

func (c *command) flagSet() (*pflag.FlagSet, runner) {
	set := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	set.SortFlags = false
	runs := c.flags(set)
	set.BoolP("help", "h", false, "print this help")
	return set, runs
}

// flagError turns an error of pflag into a sentence of ours, with the nearest
// flag where there is one.
func (c *command) flagError(set *pflag.FlagSet, err error) error {
	help := "pikaci " + c.name + " --help lists the flags"
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var bad *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			return usage(help, "%s has no flag -%s", c.name, unknown.GetSpecifiedName())
		}
		var names []string
		set.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		name := "--" + unknown.GetSpecifiedName()
		return usage(didYouMean(nearest(name, names), help), "%s has no flag %s", c.name, name)
	case errors.As(err, &missing):
		return usage(help, "%s needs a value", flagName(missing.GetFlag()))
	case errors.As(err, &bad):
		return usage(help, "%s can't be %q", flagName(bad.GetFlag()), bad.GetValue())
	}
	return usage(help, "%v", err)
}

// flagName is a flag as people type it.
func flagName(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand
	}
	return "--" + f.Name
}

// exclude refuses two of the named flags together, in a sentence that names
// both.
func exclude(set *pflag.FlagSet, names ...string) error {
	var given []string
	set.Visit(func(f *pflag.Flag) {
		if slices.Contains(names, f.Name) {
			given = append(given, flagName(f))
		}
	})
	if len(given) < 2 {
		return nil
	}
	return usage("", "%s and %s exclude each other", given[0], given[1])
}

// noneEmpty refuses flags that are given and empty: a script's variable that
// is not set would else mean all jobs, or the usual place.
func noneEmpty(set *pflag.FlagSet) error {
	var empty error
	set.Visit(func(f *pflag.Flag) {
		if f.Value.String() == "" && empty == nil {
			empty = usage("", "%s is empty", flagName(f))
		}
	})
	return empty
}

// noArguments refuses what stands behind a command that takes nothing.
func noArguments(name string, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage("", "%s takes no argument, and %q is given", name, args[0])
}
