package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/runtime/history"
)

func completionCommand() command {
	return command{
		name:    "completion",
		args:    "bash|zsh|fish",
		summary: "print a script that completes commands in a shell",
		about: `completion prints a script for a shell that completes commands, flags and their
values, and the names of lanes and jobs, which it asks this pikaci for as you
type. For other shells, "completion words -- WORD..." prints what may stand in
the place of the last word: one to a line, behind a tab what it is; a line that
is :files or :dirs says that a file or folder may stand there.`,
		examples: []string{
			`source <(pikaci completion bash)                                # in ~/.bashrc`,
			`source <(pikaci completion zsh)                                 # in ~/.zshrc, after compinit`,
			`pikaci completion fish > ~/.config/fish/completions/pikaci.fish`,
		},
		flags: func(*pflag.FlagSet) runner {
			return func(ctx context.Context, s *session, args []string) error {
				return runCompletion(ctx, s, args)
			}
		},
	}
}

func runCompletion(ctx context.Context, s *session, args []string) error {
	if len(args) == 0 {
		return usage("pikaci completion bash, zsh or fish", "completion for what shell is not said")
	}
	if args[0] == "words" {
		return completeWords(ctx, s.stdout, args[1:])
	}
	if len(args) > 1 {
		return usage("", "completion takes one shell, and %q is given too", args[1])
	}
	if err := oneOf("shell", args[0], []string{"bash", "zsh", "fish"}); err != nil {
		return err
	}
	_, err := io.WriteString(s.stdout, completionScript(args[0]))
	return err
}

// candidate is a word that may stand somewhere, and what it is.
type candidate struct{ word, about string }

// What candidates say in place of a word.
const (
	anyFile = ":files"
	anyDir  = ":dirs"
)

// completeWords prints what may stand in the place of the last word. Nothing is
// said of lane files that don't compile: a shell would print it over the line.
func completeWords(ctx context.Context, w io.Writer, words []string) error {
	if len(words) == 0 {
		words = []string{""}
	}
	words = rejoined(words)
	last := words[len(words)-1]
	var b strings.Builder
	for _, c := range candidates(ctx, words[:len(words)-1], last) {
		if !strings.HasPrefix(c.word, last) && c.word != anyFile && c.word != anyDir {
			continue
		}
		b.WriteString(c.word)
		if c.about != "" {
			fmt.Fprintf(&b, "\t%s", oneLine(strings.ReplaceAll(c.about, "\t", " ")))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, printableWords(b.String()))
	return err
}

// printableWords is printable, and keeps the tabs that part words from what
// they are.
func printableWords(text string) string {
	parts := strings.Split(text, "\t")
	for i, p := range parts {
		parts[i] = printable(p)
	}
	return strings.Join(parts, "\t")
}

// rejoined puts back what bash takes apart at an equals sign: the flag becomes
// a word of its own, as if a space stood there.
func rejoined(words []string) []string {
	out := slices.Clone(words)
	for i := 1; i < len(out); i++ {
		if out[i] != "=" || !strings.HasPrefix(out[i-1], "--") {
			continue
		}
		if i == len(out)-1 {
			out[i] = ""
		} else {
			out = slices.Delete(out, i, i+1)
		}
	}
	return out
}

func candidates(ctx context.Context, before []string, last string) []candidate {
	if len(before) == 0 {
		out := commandNames()
		if strings.HasPrefix(last, "-") {
			out = append(out, candidate{"--help", "print the help"}, candidate{"--version", "print the version"})
		}
		return out
	}
	c, err := findCommand(before[0])
	if err != nil {
		return nil
	}
	set, _ := c.flagSet()
	names := &lookup{ctx: ctx, lanes: "lanes"}
	pending, args := names.walk(set, before[1:])
	if pending != nil {
		return names.values(pending)
	}
	if flag, _, has := flagOf(set, last); has {
		var out []candidate
		for _, v := range names.values(flag) {
			if v.word != anyFile && v.word != anyDir {
				v.word = "--" + flag.Name + "=" + v.word
			}
			out = append(out, v)
		}
		return out
	}
	if strings.HasPrefix(last, "-") && last != "-" {
		return flagNames(set)
	}
	return names.arguments(c, args)
}

// walk goes over the words before the last: it gives the flag that waits for
// its value, if one does, and how many arguments there are.
func (l *lookup) walk(set *pflag.FlagSet, before []string) (pending *pflag.Flag, args int) {
	for _, word := range before {
		if pending != nil {
			if pending.Name == "lanes" {
				l.lanes = word
			}
			pending = nil
			continue
		}
		flag, value, has := flagOf(set, word)
		switch {
		case flag == nil:
			args++
		case has && flag.Name == "lanes":
			l.lanes = value
		case !has && flag.NoOptDefVal == "":
			pending = flag
		}
	}
	return pending, args
}

// flagOf is the flag that a word names, with the value behind an equals sign.
func flagOf(set *pflag.FlagSet, word string) (flag *pflag.Flag, value string, has bool) {
	if name, long := strings.CutPrefix(word, "--"); long {
		name, value, has = strings.Cut(name, "=")
		flag = set.Lookup(name)
		return flag, value, has && flag != nil
	}
	if len(word) == 2 && word[0] == '-' {
		return set.ShorthandLookup(word[1:]), "", false
	}
	return nil, "", false
}

func commandNames() []candidate {
	var out []candidate
	for _, c := range commands() {
		out = append(out, candidate{c.name, c.summary})
	}
	return out
}

func flagNames(set *pflag.FlagSet) []candidate {
	var out []candidate
	set.VisitAll(func(f *pflag.Flag) {
		_, about := flagUsage(f)
		about, _, _ = strings.Cut(about, "\n")
		out = append(out, candidate{"--" + f.Name, about})
	})
	return out
}

// lookup finds names in the lane files, read at most once.
type lookup struct {
	ctx   context.Context
	lanes string
	read  bool
	found []compiler.Lane
}

func (l *lookup) all() []compiler.Lane {
	if l.read {
		return l.found
	}
	l.read = true
	c, err := awaited(l.ctx, func() (*compiler.Catalogue, error) { return compiler.Load(l.lanes) })
	if err == nil {
		l.found = c.Lanes()
	}
	return l.found
}

func (l *lookup) laneNames() []candidate {
	var out []candidate
	for _, lane := range l.all() {
		out = append(out, candidate{lane.ID, lane.Description})
		for _, name := range []string{lane.Title, lane.TargetID} {
			if name != "" && name != lane.ID && !strings.ContainsAny(name, " \t") {
				out = append(out, candidate{name, "lane " + lane.ID})
			}
		}
	}
	return out
}

func (l *lookup) jobNames() []candidate {
	var out []candidate
	for _, lane := range l.all() {
		for _, j := range lane.Jobs {
			out = append(out, candidate{j.ID, j.Description})
		}
	}
	return out
}

// runNames are the newest runs of the usual place.
func (l *lookup) runNames() []candidate {
	out := []candidate{{history.Latest, "the newest run"}}
	runs, err := (&records{}).open(&session{env: os.Environ()})
	if err != nil {
		return out
	}
	for run := range runs.All() {
		if len(out) > defaultRuns {
			break
		}
		out = append(out, candidate{run.ID, dash(verdictOf(&run, ""))})
	}
	return out
}

// values are what a flag takes, by the name of its value.
func (l *lookup) values(f *pflag.Flag) []candidate {
	value, _ := flagUsage(f)
	switch {
	case f.Name == "job":
		return l.jobNames()
	case strings.Contains(value, "|"):
		return words(value)
	case value == "DIR":
		return []candidate{{word: anyDir}}
	case strings.Contains(value, "FILE") || value == "P" || value == "PLAN":
		return []candidate{{word: anyFile}}
	}
	return nil
}

// arguments are what a command takes as its argument of this number, by its
// usage line.
func (l *lookup) arguments(c *command, number int) []candidate {
	var out []candidate
	first, _, _ := strings.Cut(c.args, " ")
	switch {
	case strings.ToLower(first) == first && strings.Contains(first, "|") && number == 0:
		return words(first)
	case first == "[COMMAND]" && number == 0:
		return commandNames()
	case first == "PATH|RUN" && number == 0:
		return slices.Concat(l.laneNames(), l.jobNames(), l.runNames())
	case first == "RUN" && number == 0:
		return slices.Concat(l.runNames(), l.laneNames())
	case strings.Contains(c.args, "JOB") && number == 1:
		return l.jobNames()
	}
	if strings.Contains(c.args, "LANE") {
		out = append(out, l.laneNames()...)
	}
	if strings.Contains(first, "PLAN") || strings.Contains(first, "FILE") {
		out = append(out, candidate{word: anyFile})
	}
	if strings.Contains(first, "DIR") {
		out = append(out, candidate{word: anyDir})
	}
	return out
}

// words are the words of a usage like "branch|nightly"; what is not written in
// lower case stands for something.
func words(value string) []candidate {
	var out []candidate
	for word := range strings.SplitSeq(strings.Trim(value, "[]"), "|") {
		if word == strings.ToLower(word) {
			out = append(out, candidate{word: word})
		}
	}
	return out
}
