package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/cmd/pikaci/internal/changes"
	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/schema/plan"
	"github.com/sledtools/pikaci/schema/plan/plandiff"
)

// workingTree is what the side that is on disk is called.
const workingTree = "the working tree"

func diffCommand() command {
	return command{
		name:    "diff",
		args:    "[REV|PLAN] [REV|PLAN] [flags]",
		summary: "say what changed in the graph between commits or plans",
		about: `diff says what changed in the graph between two commits or plan files: lanes,
jobs and payloads that came, went or changed, field by field, and what will now
be built and run. Without a second one the lane files of the working tree are
compared, without any with HEAD. A PLAN ends in .json; a REV is what git takes
for a commit, and A...B is the commit that A and B have in common.

All lanes of a commit are compared, or what a PLAN's selection takes. Commits
are compiled with the schema of this pikaci. Nothing is printed where the graph
is the same.`,
		examples: []string{
			"pikaci diff                                   # what do my edits change?",
			"pikaci diff origin/main...HEAD                # what does this branch change?",
			"pikaci diff v1.2 v1.3 --format markdown       # for a review comment",
			"pikaci diff plan.json                         # what changed since the plan?",
			"pikaci diff old.json new.json --format json   # for programs",
		},
		flags: func(set *pflag.FlagSet) runner {
			lanes := set.String("lanes", "lanes", "`DIR` folder of the lane files, in each commit (default ./lanes)")
			format := set.String("format", "text", "`text|json|markdown` language to write it in (default text)")
			return func(ctx context.Context, s *session, args []string) error {
				return runDiff(ctx, s, *lanes, *format, args)
			}
		},
	}
}

func runDiff(ctx context.Context, s *session, lanes, format string, args []string) error {
	if err := oneOf("--format", format, []string{"text", "json", "markdown"}); err != nil {
		return err
	}
	switch {
	case lanes == "":
		return usage("", "--lanes is empty")
	case len(args) > 2:
		return usage("", "diff takes two commits or plans, and %q is given too", args[2])
	case slices.Contains(args, ""):
		return usage("", "the name of a commit or plan is empty")
	}
	sides := sidesOf(args)
	for i := range sides {
		if err := sides[i].load(ctx, s, lanes); err != nil {
			return err
		}
	}
	if err := compileAlike(&sides[0], &sides[1]); err != nil {
		return err
	}
	d := plandiff.Compare(sides[0].plan, sides[1].plan)
	if format == "text" && d.Empty() {
		s.note("pikaci: %s and %s give the same graph", sides[0].name, sides[1].name)
	}
	return printDiff(s.stdout, d, format, sides)
}

func printDiff(w io.Writer, d *plandiff.Diff, format string, sides [2]side) error {
	switch {
	case format == "json":
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			From string `json:"from"`
			To   string `json:"to"`
			*plandiff.Diff
		}{sides[0].name, sides[1].name, d})
	case format == "markdown":
		_, err := io.WriteString(w, d.Markdown())
		return err
	case d.Empty():
		return nil
	}
	for _, line := range diffLines(d) {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// diffLines are a difference as a terminal may show it.
func diffLines(d *plandiff.Diff) []string {
	lines := d.Text()
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return lines
}

// side is one of the two that are compared: a plan that was read, or lane files
// to be compiled.
type side struct {
	// name is what the user calls it.
	name string
	// lanes are nil where a plan was read, or where there are none.
	lanes *compiler.Catalogue
	plan  *plan.Plan
}

// sidesOf names the two sides that the arguments mean.
func sidesOf(args []string) [2]side {
	switch len(args) {
	case 0:
		return [2]side{{name: "HEAD"}, {name: workingTree}}
	case 2:
		return [2]side{{name: args[0]}, {name: args[1]}}
	}
	// A...B alone asks what B adds, A..B for both as they are.
	if _, b, ok := strings.Cut(args[0], "..."); ok && !isPlanFile(args[0]) {
		return [2]side{{name: args[0]}, {name: cmp.Or(b, "HEAD")}}
	}
	if a, b, ok := strings.Cut(args[0], ".."); ok && !isPlanFile(args[0]) {
		return [2]side{{name: cmp.Or(a, "HEAD")}, {name: cmp.Or(b, "HEAD")}}
	}
	return [2]side{{name: args[0]}, {name: workingTree}}
}

func isPlanFile(name string) bool { return name == "-" || strings.HasSuffix(name, ".json") }

func (x *side) load(ctx context.Context, s *session, lanes string) (err error) {
	switch {
	case x.name == workingTree:
		x.lanes, err = awaited(ctx, func() (*compiler.Catalogue, error) { return compiler.Load(lanes) })
	case isPlanFile(x.name):
		x.plan, err = awaited(ctx, func() (*plan.Plan, error) { return readPlan(x.name, s.stdin) })
	default:
		x.lanes, err = loadCommit(ctx, s, lanes, x.name)
	}
	return err
}

// loadCommit reads the lane files of a commit; nil where it has none.
func loadCommit(ctx context.Context, s *session, lanes, rev string) (*compiler.Catalogue, error) {
	into, err := os.MkdirTemp("", "pikaci-diff-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(into)
	files, err := changes.CheckOut(ctx, s.env, lanes, rev, into)
	if err != nil {
		return nil, changesError(err, "")
	}
	found, err := os.ReadDir(files.Dir)
	if err != nil || !slices.ContainsFunc(found, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".cue") }) {
		s.note("pikaci: %s has no lane files in %s", rev, lanes)
		return nil, nil
	}
	c, err := awaited(ctx, func() (*compiler.Catalogue, error) { return compiler.LoadEarlier(files.Dir) })
	return c, atCommit(err, files.Root, rev)
}

// atCommit gives mistakes in a commit's lane files their place as git writes
// it, REV:path.
func atCommit(err error, root, rev string) error {
	var found compiler.Diagnostics
	if !errors.As(err, &found) {
		return err
	}
	move := func(p *compiler.Position) {
		abs, err := filepath.Abs(p.File)
		if err != nil {
			return
		}
		if rel, err := filepath.Rel(root, abs); err == nil && filepath.IsLocal(rel) {
			p.File = rev + ":" + filepath.ToSlash(rel)
		}
	}
	for i := range found {
		move(&found[i].Position)
		for k := range found[i].Others {
			move(&found[i].Others[k])
		}
	}
	return found
}

// compileAlike compiles the sides that are lane files with the selection of the
// one that is a plan. Where none is, all lanes are taken, and what says so is
// left out of the plans: nobody asked for it.
func compileAlike(a, b *side) error {
	given := a.plan
	if given == nil {
		given = b.plan
	}
	for _, x := range []*side{a, b} {
		if x.plan != nil {
			continue
		}
		var err error
		if x.plan, err = x.compile(given); err != nil {
			return err
		}
		if given == nil {
			x.plan.Selection = plan.Selection{}
		} else {
			// Lanes that are gone, or came since, change what can be selected.
			x.plan.Selection = given.Selection
		}
	}
	return nil
}

func (x *side) compile(given *plan.Plan) (*plan.Plan, error) {
	if x.lanes == nil {
		return noPlan(), nil
	}
	sel := compiler.Select{}
	asked := func(string) bool { return true }
	if given != nil {
		from := given.Selection
		sel = compiler.Select{Job: from.Job, Trigger: from.Trigger, ByPaths: from.ByPaths, ChangedPaths: from.ChangedPaths}
		asked = func(id string) bool { return slices.Contains(from.Lanes, id) }
	}
	for _, l := range x.lanes.Lanes() {
		if asked(l.ID) {
			sel.Lanes = append(sel.Lanes, l.ID)
		}
	}
	if given != nil && len(given.Selection.Lanes) > 0 && len(sel.Lanes) == 0 {
		return noPlan(), nil
	}
	return x.lanes.Compile(sel)
}

// noPlan is what a side without lanes is compared as.
func noPlan() *plan.Plan {
	return &plan.Plan{SchemaVersion: plan.Version, Snapshot: plan.Snapshot{Exclude: []string{}}}
}
