package compiler

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBudget gives the evaluator something that it would take very long for.
func TestBudget(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("lanes", 0o755); err != nil {
		t.Fatal(err)
	}
	// A second or so: it goes on in vain while other tests run.
	src := "package lanes\n\nimport \"github.com/sledtools/pikaci/schema\"\n\nlanes: schema.#Lanes\nlanes: x: title: \"x\"\n" +
		"_m: [for a in _k for b in _l {a + b}]\n_k: [for a in _l for b in _l {a + b}]\n" +
		"_l: [for a in [1, 2, 3, 4] for b in [1, 2, 3, 4] {a + b}]\nlanes: x: description: \"\\(len(_m))\"\n"
	if err := os.WriteFile(filepath.Join("lanes", "x.cue"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, b := range []Budget{{20 * time.Millisecond, 1 << 40}, {time.Minute, 1}} {
		start := time.Now()
		_, err := LoadWithin("lanes", b)
		var d Diagnostics
		if !errors.As(err, &d) || !strings.Contains(d[0].Message, "took over") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("gave up after %v", took)
		}
	}
}

// TestBudgetPanic checks that a panic is told of, at the piece of the lane
// files that makes the evaluator panic where that is known.
func TestBudgetPanic(t *testing.T) {
	at := Position{File: "lanes/x.cue", Line: 3, Column: 1}
	for want, search := range map[string]func(*search){
		"lanes: evaluating the lane files makes CUE fail: oh": func(*search) {},
		"lanes/x.cue:3:1: evaluating field x makes CUE fail: oh": func(f *search) {
			f.next(Diagnostic{Position: at, Message: "evaluating field x"})
			panic("oh")
		},
	} {
		err := DefaultBudget().run(laneFiles("lanes"), func() error { panic("oh") }, search)
		var d Diagnostics
		if !errors.As(err, &d) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
