package compiler

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sledtools/pikaci/schema/plan"
)

var update = flag.Bool("update", false, "write what the tests want")

// implied are the files that an archive has unless it brings its own. An
// archive whose first line is "bare" has none of them.
const implied = `
-- cue.mod/module.cue --
module: "example.com/repo"
language: version: "v0.17.0"
-- lanes/lanes.cue --
package lanes

import "github.com/sledtools/pikaci/schema"

lanes: schema.#Lanes
roles: schema.#Roles
-- lanes/roles.cue --
package lanes

roles: [
	{
		role:                "deps"
		prepare_node_suffix: "deps"
		mount_dir_name:      "deps"
		device_prefix:       "deps"
		prepare_description: "Build dependencies"
		guest_mount_path:    "/staged/deps"
	},
	{
		role:                "build"
		prepare_node_suffix: "build"
		mount_dir_name:      "build"
		device_prefix:       "build"
		prepare_description: "Build tests"
		guest_mount_path:    "/staged/build"
	},
]
`

// TestMistakes compiles lane files with mistakes: file "want" holds what is
// said of them, to the letter.
func TestMistakes(t *testing.T) {
	each(t, "testdata/mistakes/*.txtar", "want", func(t *testing.T, a *txtar.Archive) []byte {
		sameBare(t, "lanes")
		c, err := Load("lanes")
		if err == nil {
			_, err = c.Compile(parseSelect(t, a))
		}
		var d Diagnostics
		var unknown *UnknownNameError
		switch {
		case err == nil:
			t.Fatal("no mistake was found")
		case errors.As(err, &d):
			mustEdit(t, a, d[0])
			return printed(d)
		case errors.As(err, &unknown):
			return fmt.Appendf(nil, "%v\n    nearest: %s\n", unknown, unknown.Nearest)
		}
		t.Fatalf("neither diagnostics nor an unknown name: %v", err)
		return nil
	})
}

// TestWarnings compiles lane files that are valid and odd: file "want" holds
// the warnings. Those of the tree follow: the archive is the tree.
func TestWarnings(t *testing.T) {
	each(t, "testdata/warnings/*.txtar", "want", func(t *testing.T, a *txtar.Archive) []byte {
		sameBare(t, "lanes")
		c := mustLoad(t, "lanes")
		if bytes.HasPrefix(a.Comment, []byte("tree: ")) {
			return printed(c.Unmatched(os.DirFS(".")))
		}
		if len(c.Warnings()) > 0 {
			mustEdit(t, a, c.Warnings()[0])
		}
		return printed(c.Warnings())
	})
}

// mustLoad loads lane files that are valid.
func mustLoad(t *testing.T, dir string) *Catalogue {
	t.Helper()
	c, err := Load(dir)
	var d Diagnostics
	if errors.As(err, &d) {
		t.Fatalf("%s", printed(d))
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mustCompile compiles what can be, to a plan that can be read back.
func mustCompile(t *testing.T, c *Catalogue, sel Select) *plan.Plan {
	t.Helper()
	p, err := c.Compile(sel)
	if err != nil {
		t.Fatal(err)
	}
	b, err := plan.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Decode(b); err != nil {
		t.Errorf("the plan can't be read back: %v", err)
	}
	return p
}

// mustEdit checks that the first position is in a file that the archive's edit
// directive names.
func mustEdit(t *testing.T, a *txtar.Archive, first Diagnostic) {
	t.Helper()
	for _, d := range directives(a) {
		if d.verb == "edit" {
			if !slices.Contains(d.args, first.Position.File) {
				t.Errorf("the first position is in %s, and %s must be edited", first.Position.File, d.args)
			}
			return
		}
	}
	t.Errorf("the archive has no line \"edit: FILE\"")
}

// TestPlans compiles lane files to the plan in file "want".
func TestPlans(t *testing.T) {
	each(t, "testdata/plans/*.txtar", "want", func(t *testing.T, a *txtar.Archive) []byte {
		c := mustLoad(t, "lanes")
		p := mustCompile(t, c, parseSelect(t, a))
		for i := range p.Sources {
			if strings.HasPrefix(p.Sources[i].Path, plan.EmbeddedPrefix) {
				// A comment in the schema is not to change every archive.
				p.Sources[i].SHA256 = "of the schema"
			}
		}
		b, err := plan.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

// printed writes diagnostics with every part.
func printed(d Diagnostics) []byte {
	var b bytes.Buffer
	for _, x := range d {
		word := ""
		if x.Severity == Warning {
			word = "warning: "
		}
		fmt.Fprintf(&b, "%s: %s%s\n", x.Position, word, x.Message)
		if x.Path != "" {
			fmt.Fprintf(&b, "    path: %s\n", x.Path)
		}
		if x.Hint != "" {
			fmt.Fprintf(&b, "    hint: %s\n", x.Hint)
		}
		for _, o := range x.Others {
			fmt.Fprintf(&b, "    also: %s\n", o)
		}
	}
	return b.Bytes()
}

// each unpacks every archive into a folder of its own, runs got there, and
// compares with the archive's file of the given name.
func each(t *testing.T, glob, file string, got func(*testing.T, *txtar.Archive) []byte) {
	names, err := filepath.Glob(glob)
	if err != nil || len(names) == 0 {
		t.Fatalf("no archives %s: %v", glob, err)
	}
	for _, name := range names {
		abs, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(abs)
			if err != nil {
				t.Fatal(err)
			}
			unpack(t, a, file)
			compare(t, abs, a, file, got(t, a))
		})
	}
}

func unpack(t *testing.T, a *txtar.Archive, except string) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	files := a.Files
	if !bytes.HasPrefix(a.Comment, []byte("bare\n")) {
		files = append(txtar.Parse([]byte(implied)).Files, files...)
	}
	for _, f := range files {
		if f.Name == except {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range directives(a) {
		if err := d.do(); err != nil {
			t.Fatalf("%s: %v", d.verb, err)
		}
	}
}

// directive is a line "VERB: ARGUMENT..." of an archive's comment: what a
// txtar archive can't hold.
type directive struct {
	verb string
	args []string
}

func directives(a *txtar.Archive) []directive {
	var out []directive
	for line := range strings.Lines(string(a.Comment)) {
		if verb, rest, found := strings.Cut(line, ":"); found && !strings.Contains(verb, " ") {
			out = append(out, directive{verb, strings.Fields(rest)})
		}
	}
	return out
}

// escapes stand in the files that a raw directive names.
var escapes = strings.NewReplacer(`\r`, "\r", `\0`, "\x00", `\xff`, "\xff", `\xfe`, "\xfe", `\xc3`, "\xc3", `\ufeff`, "\ufeff", `\u00a0`, "\u00a0",
	`\u201c`, "\u201c", `\u201d`, "\u201d", `\u200b`, "\u200b", `\x1b`, "\x1b", "\\\n", "")

func (d directive) do() error {
	switch d.verb {
	case "link": // NAME TARGET
		return os.Symlink(d.args[1], d.args[0])
	case "folder": // NAME
		return os.MkdirAll(d.args[0], 0o755)
	case "pipe": // NAME
		return syscall.Mkfifo(d.args[0], 0o644)
	case "raw": // NAME: escapes stand for what they name
		b, err := os.ReadFile(d.args[0])
		if err != nil {
			return err
		}
		return os.WriteFile(d.args[0], []byte(escapes.Replace(string(b))), 0o644)
	case "grow": // NAME MEGABYTES, of comment lines
		b, err := os.ReadFile(d.args[0])
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(d.args[1])
		if err != nil {
			return err
		}
		line := []byte("// " + strings.Repeat("x", 60) + "\n")
		return os.WriteFile(d.args[0], append(b, bytes.Repeat(line, n<<20/len(line))...), 0o644)
	case "edit", "select", "tree":
		return nil
	}
	return fmt.Errorf("no such directive")
}

func compare(t *testing.T, name string, a *txtar.Archive, file string, got []byte) {
	t.Helper()
	for i := range a.Files {
		if a.Files[i].Name != file {
			continue
		}
		if *update {
			a.Files[i].Data = got
			if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		if want := a.Files[i].Data; !bytes.Equal(got, want) {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
		return
	}
	t.Errorf("the archive has no file %s", file)
}

// parseSelect reads the archive's line "select: KEY=VALUE ..." with keys
// lane, job, trigger and path, each any number of times.
func parseSelect(t *testing.T, a *txtar.Archive) Select {
	t.Helper()
	var sel Select
	for line := range strings.Lines(string(a.Comment)) {
		words, found := strings.CutPrefix(line, "select:")
		if !found {
			continue
		}
		for _, word := range strings.Fields(words) {
			switch key, value, _ := strings.Cut(word, "="); key {
			case "lane":
				sel.Lanes = append(sel.Lanes, value)
			case "job":
				sel.Job = value
			case "trigger":
				sel.Trigger = plan.Trigger(value)
			case "path":
				sel.ByPaths = true
				sel.ChangedPaths = append(sel.ChangedPaths, value)
			default:
				t.Fatalf("select: unknown key %s", key)
			}
		}
	}
	return sel
}
