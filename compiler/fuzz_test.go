package compiler

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sledtools/pikaci/schema/plan"
)

// fuzzBudget is small: an evaluation that was given up goes on in vain beside
// those that follow it.
var fuzzBudget = Budget{Time: 3 * time.Second, Memory: 512 << 20}

// FuzzLaneFile loads any bytes as a lane file beside the implied ones: they
// give lanes that compile, or diagnostics that name a file, within the budget.
func FuzzLaneFile(f *testing.F) {
	for _, content := range mistakenFiles(f) {
		f.Add(content)
	}
	dir := f.TempDir()
	writeFiles(f, dir, txtar.Parse([]byte(implied)).Files)
	lanes, file := filepath.Join(dir, "lanes"), filepath.Join(dir, "lanes", "a.cue")
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c, err := LoadWithin(lanes, fuzzBudget)
		took := time.Since(start)
		if took > fuzzBudget.Time+2*time.Second {
			t.Errorf("took %v, and the budget is %v", took, fuzzBudget.Time)
		}
		if err != nil {
			told(t, err, string(content))
			return
		}
		compiles(t, c)
	})
}

// mistakenFiles are the lane files of the corpus of mistakes, without large
// ones: those keep a fuzzer from trying many.
func mistakenFiles(t testing.TB) [][]byte {
	names, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no mistakes: %v", err)
	}
	var out [][]byte
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range a.Files {
			if filepath.Dir(file.Name) == "lanes" && filepath.Ext(file.Name) == ".cue" && len(file.Data) < 4096 {
				out = append(out, []byte(escapes.Replace(string(file.Data))))
			}
		}
	}
	return out
}

func writeFiles(t testing.TB, dir string, files []txtar.File) {
	for _, file := range files {
		name := filepath.Join(dir, filepath.FromSlash(file.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// told checks that an error is of diagnostics which say what is wrong and
// where, in words that were formatted: a %! is none, unless the file has it.
func told(t *testing.T, err error, content string) {
	t.Helper()
	var found Diagnostics
	if !errors.As(err, &found) || len(found) == 0 {
		t.Errorf("no diagnostics: %v", err)
	}
	for _, d := range found {
		if d.Message == "" || d.Position.File == "" || strings.Contains(d.Message+d.Hint, "%!") && !strings.Contains(content, "%!") {
			t.Errorf("message %q, hint %q, at %s", d.Message, d.Hint, d.Position)
		}
	}
}

// compiles checks that every lane of a catalogue compiles to a plan that can be
// read back.
func compiles(t *testing.T, c *Catalogue) {
	t.Helper()
	var sel Select
	for _, l := range c.Lanes() {
		sel.Lanes = append(sel.Lanes, l.ID)
	}
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
}
