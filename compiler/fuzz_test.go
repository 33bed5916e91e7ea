package compiler

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/rogpeppe/go-internal/txtar"
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
	load := loader(f)
	f.Fuzz(load)
}

// FuzzLaneWords is FuzzLaneFile with files made of words of CUE, one a byte: by
// letters alone a fuzzer hardly comes past the parser.
func FuzzLaneWords(f *testing.F) {
	words := cueWords()
	for _, content := range mistakenFiles(f) {
		f.Add(asWords(content, words))
	}
	load := loader(f)
	f.Fuzz(func(t *testing.T, picks []byte) {
		content := []byte("package lanes\n\n")
		for _, pick := range picks {
			content = append(append(content, words[int(pick)%len(words)]...), ' ')
		}
		load(t, content)
	})
}

// FuzzFormat formats any bytes: into CUE, or diagnostics.
func FuzzFormat(f *testing.F) {
	for _, content := range mistakenFiles(f) {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		out, err := Format("x.cue", content)
		if err != nil {
			told(t, err, string(content))
			return
		}
		if _, err := Format("x.cue", out); err != nil {
			t.Errorf("%q is formatted as %q: %v", content, out, err)
		}
	})
}

// FuzzGlob matches a path against any glob that the checks let through: it is
// well formed, and no match takes long.
func FuzzGlob(f *testing.F) {
	for _, glob := range []string{"crates/**", "**/*.{rs,toml}", "a/[!b-d]?/**/{x,y{z,}}", `a\*b`, "{a,a}{a,a}{a,a}{a,a}", "**/**/**/a", "[[:alpha:]]"} {
		f.Add(glob, "crates/a/b.rs")
		f.Add(glob, "aaaaaaaaaaaaaaaaaaaab")
	}
	f.Fuzz(func(t *testing.T, glob, path string) {
		if badGlob(glob, "a path", "") != "" || len(glob)+len(path) > 1<<12 {
			return
		}
		_ = gluedStars(glob)
		start := time.Now()
		if _, err := doublestar.Match(glob, path); err != nil {
			t.Errorf("glob %q passed the checks: %v", glob, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("glob %q on %q took %v", glob, path, took)
		}
	})
}

// cueWords are what FuzzLaneWords makes files of.
func cueWords() []string {
	words := strings.Fields("{ } { } [ ] ( ) : : : , , | | & & * + - / ! ? = == != < > <= >= =~ !~ ... . _|_ _ # " +
		"let if for in true false null string int number bool bytes float len close and or div mod quo rem matchN error self " +
		"a b c x y _a _b _c _x _y #A #B #C a? b! _a.a _a.b #A.a #A.b _x.y lanes.alpha _a[0] _a[\"a\"] (_a) (#A) {_a} [...] [_a] [#A] " +
		"lanes: alpha: beta: jobs: one: two: roles: payloads: title: description: command: env: needs: paths: incus: timeout_secs: secrets: " +
		"_a: _b: _c: _x: _y: #A: #B: #C: a: b: c: (_a): [string]: [=~\"a\"]: \"\\(_a)\": X=a X=[string]: X=_a: X X.a ~(K,V) __reclose " +
		"0 1 -1 2.5 1e3 0x10 4Mi 'a' \"\" \"a\" \"b\" \"\\(_a)\" \"\\(_x.y)b\" #\"a\"# [] [1,2] [\"a\"] {} {a:1} {a:\"a\"} {a:_a} {_a,b:1} *\"a\" *1 " +
		"schema.#Lane schema.#Job schema.#Lanes list.Range(0,3,1) list.Concat([_a,_b]) strings.Join(_a,\"\") @a(b) @embed(file=x.json) @extern(embed)")
	words = append(words, "\n", "\n", "\n", "\n", "if _a != _|_ {", "for k, v in _a {", "for v in _a {v}", "let x = _a", "a: _a & {", "title: \"t\"\ndescription: \"d\"\n",
		"jobs: one: {description: \"d\", command: [\"true\"]}\n", "lanes: alpha: {title: \"t\", description: \"d\", jobs: one: {description: \"d\", command: [\"true\"]}}\n",
		"import \"list\"\n", "import \"strings\"\n", "import \"github.com/sledtools/pikaci/schema\"\n", "\"\"\"\n", "// c\n")
	return words
}

// asWords is a file as the words that it begins with, as far as it is made of
// them.
func asWords(content []byte, words []string) []byte {
	var out []byte
	_, text, _ := strings.Cut(string(content), "\n")
	for text != "" {
		best := -1
		for i, word := range words[:min(len(words), 256)] {
			if strings.HasPrefix(text, word) && (best < 0 || len(word) > len(words[best])) {
				best = i
			}
		}
		if best < 0 {
			text = text[1:]
			continue
		}
		out = append(out, byte(best))
		text = text[len(words[best]):]
	}
	return out
}

// loader gives what loads a content as one file of a folder of lanes.
func loader(f *testing.F) func(t *testing.T, content []byte) {
	dir := f.TempDir()
	writeFiles(f, dir, txtar.Parse([]byte(implied)).Files)
	lanes, file := filepath.Join(dir, "lanes"), filepath.Join(dir, "lanes", "a.cue")
	return func(t *testing.T, content []byte) {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c, err := LoadWithin(lanes, fuzzBudget)
		if time.Since(start) > fuzzBudget.Time+2*time.Second {
			// Once more: the machine may have been busy with something else.
			start = time.Now()
			c, err = LoadWithin(lanes, fuzzBudget)
			if took := time.Since(start); took > fuzzBudget.Time+2*time.Second {
				t.Errorf("took %v, and the budget is %v", took, fuzzBudget.Time)
			}
		}
		if time.Since(start) < fuzzBudget.Time/6 {
			sameBare(t, lanes)
		}
		if err != nil {
			told(t, err, string(content))
			return
		}
		compiles(t, c)
	}
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
	mustCompile(t, c, sel)
}
