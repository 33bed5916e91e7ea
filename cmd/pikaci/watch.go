package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/cmd/pikaci/internal/watching"
	"github.com/sledtools/pikaci/schema/plan"
	"github.com/sledtools/pikaci/schema/plan/plandiff"
)

// looksFile names, in the environment of a compile that a watch started, the
// file that it writes the names to of all that its answer hangs on.
const looksFile = "PIKACI_WATCH_LOOKS"

// watch compiles again on every save. Each compile is a process of its own: an
// evaluation can't be interrupted, a process can, by the next save or at the end
// of its budget; and memory comes back.
type watch struct {
	s      *session
	folder string
	output string
	// argv and env are the compile's.
	argv, env []string
	looks     string
	screen    *screen
	palette   palette

	// right is the last plan that there was, and its time.
	right   *plan.Plan
	rightAt string
	// last is what was told last, nil at the beginning, and known is how all
	// that any answer hung on stood then.
	last  *attempt
	known watching.Look
}

// attempt is what came of one compile.
type attempt struct {
	code int
	// plan is stdout, says is stderr.
	plan, says []byte
	// names are what the answer hangs on.
	names []string
}

func (a *attempt) like(b *attempt) bool {
	return b != nil && a.code == b.code && bytes.Equal(a.plan, b.plan) && bytes.Equal(a.says, b.says)
}

// validateWatch refuses what a watch can't do over and over.
func (f *compileFlags) validateWatch() error {
	for _, other := range []string{"check", "list", "check-installables"} {
		if err := exclude(f.set, "watch", other); err != nil {
			return err
		}
	}
	switch {
	case f.format != formatPlan:
		return usage("", "--watch and --format %s exclude each other", f.format)
	case *f.errorFormat != errorsText:
		return usage("", "--watch and --error-format %s exclude each other", *f.errorFormat)
	case slices.Contains(f.changedPaths, "-"):
		return usage("name the paths, or use --changed-since", "--watch and --changed-path - exclude each other: stdin is read once")
	case f.output == "-":
		return usage("name a file", "--watch and -o - exclude each other: stdout tells what changed")
	}
	return nil
}

func runWatch(ctx context.Context, s *session, f *compileFlags, args []string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program to compile with: %w", err)
	}
	dir, err := os.MkdirTemp("", "pikaci-watch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := &watch{s: s, folder: f.lanes, output: f.output, looks: filepath.Join(dir, "looks"), screen: newScreen(s)}
	w.palette = colours(s.env, w.screen.w)
	w.argv = append([]string{program, "compile"}, f.again(args)...)
	w.env = append(slices.Clone(s.env), looksFile+"="+w.looks)
	if w.palette.off != "" {
		w.env = append(w.env, "CLICOLOR_FORCE=1")
	}
	defer w.screen.end()
	return w.run(ctx)
}

// again are the arguments of a compile that takes the same lanes.
func (f *compileFlags) again(args []string) []string {
	var words []string
	f.set.Visit(func(given *pflag.Flag) {
		switch given.Name {
		case "watch", "output":
		case "changed-path":
			for _, p := range f.changedPaths {
				words = append(words, "--changed-path="+p)
			}
		default:
			words = append(words, "--"+given.Name+"="+given.Value.String())
		}
	})
	return append(append(words, "--"), args...)
}

// run compiles, tells, and waits for the next change, until a signal comes: that
// is how a watch ends, and no error.
func (w *watch) run(ctx context.Context) error {
	var before watching.Look
	for {
		began := time.Now()
		now, err := w.compile(ctx, before)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case now == nil:
			before = before.Again()
			continue
		case w.last == nil && now.code == exitUsage:
			w.s.stderr.Write(now.says)
			return verdict(exitUsage)
		}
		look := watching.At(now.names)
		if len(before.Changed(look)) > 0 || look.Touched(before, began) {
			// Nothing tells whether the compile saw this.
			before = look
			continue
		}
		if err := w.tell(now, look); err != nil {
			return err
		}
		if before = look.Wait(ctx); before == nil {
			return nil
		}
	}
}

// compile runs one compile to its end; nil if it was ended because something
// changed again.
func (w *watch) compile(ctx context.Context, before watching.Look) (*attempt, error) {
	within, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		if before.Wait(within) != nil {
			stop()
		}
	}()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(within, w.argv[0], w.argv[1:]...)
	// What a program does may hang on the name that it was called by.
	cmd.Args[0] = "pikaci"
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case within.Err() != nil:
		return nil, nil
	case err != nil && !errors.As(err, &exit):
		return nil, fmt.Errorf("compile: %w", err)
	}
	now := &attempt{code: cmd.ProcessState.ExitCode(), plan: stdout.Bytes(), says: stderr.Bytes()}
	if list, err := os.ReadFile(w.looks); err == nil {
		now.names = strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
		os.Remove(w.looks)
	} else {
		now.names = before.Names()
	}
	return now, nil
}

// tell shows what came of a compile, unless that is what is shown already: an
// editor's temporary files are changes of a folder, too.
func (w *watch) tell(now *attempt, look watching.Look) error {
	changed := w.changed(look)
	w.known = w.known.Again()
	maps.Copy(w.known, look)
	if now.like(w.last) {
		return nil
	}
	clock := time.Now().Format("15:04:05")
	head := clock + " watching " + printable(oneLine(w.folder))
	if w.last != nil {
		head = clock + " " + printable(oneLine(strings.Join(changed, " ")))
	}
	lines := []string{w.palette.bold + head + w.palette.off}
	state := w.palette.red + "not right, and was not since the beginning" + w.palette.off
	switch {
	case now.code == exitOK:
		difference, right, err := w.compare(now.plan)
		if err != nil {
			return err
		}
		// Before the warnings, which may be many.
		lines, state, w.rightAt = append(lines, difference...), right, clock
	case w.right != nil:
		state = w.palette.red + "not right; it was at " + w.rightAt + w.palette.off
	}
	if says := strings.TrimSuffix(string(now.says), "\n"); says != "" {
		lines = append(lines, strings.Split(says, "\n")...)
	}
	w.last = now
	return w.screen.show(append(lines, state))
}

// compare says what changed in the graph since it was right the last time, and
// how it stands; it writes the plan's file.
func (w *watch) compare(encoded []byte) (lines []string, state string, err error) {
	p, err := plan.Decode(encoded)
	if err != nil {
		return nil, "", fmt.Errorf("read the compile's plan: %w", err)
	}
	if w.right != nil {
		d := plandiff.Compare(w.right, p)
		if d.Empty() {
			lines = append(lines, "the same graph as at "+w.rightAt)
		} else {
			lines = append(lines, diffLines(d)...)
		}
	}
	w.right = p
	chosen := 0
	for _, l := range p.Lanes {
		if l.Chosen {
			chosen++
		}
	}
	state = fmt.Sprintf("right: %s, %s", counted(chosen, "lane"), counted(len(p.Jobs), "job"))
	if w.output != "" {
		if err := writeFile(w.output, encoded); err != nil {
			return append(lines, "pikaci: "+printable(oneLine(err.Error()))), state, nil
		}
		state += ", in " + printable(oneLine(w.output))
	}
	return lines, state, nil
}

// maxChanged is how many names of changed files are shown before the rest is a
// number.
const maxChanged = 3

// changed are the names of the files that changed since something was told, new
// ones too; of folders where that is all.
func (w *watch) changed(look watching.Look) []string {
	var files, folders []string
	add := func(name string, is fs.FileInfo) {
		if is != nil && is.IsDir() {
			folders = append(folders, name)
		} else {
			files = append(files, name)
		}
	}
	now := w.known.Again()
	for _, name := range w.known.Changed(now) {
		add(name, now[name])
	}
	for name, is := range look {
		if _, known := w.known[name]; !known && is != nil && !is.IsDir() {
			add(name, is)
		}
	}
	if len(files) == 0 {
		files = folders
	}
	slices.Sort(files)
	if len(files) > maxChanged {
		files = append(files[:maxChanged], fmt.Sprintf("and %d more", len(files)-maxChanged))
	}
	return files
}
