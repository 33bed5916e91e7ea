package compiler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// hardMemory is small, so that what takes CUE for ever takes the tests little.
const hardMemory = 384 << 20

// hardSlack is what the process may take beside its values: code, stacks, and
// what was allocated between two looks at the budget.
const hardSlack = 384 << 20

// aloneIn is the variable by which the test says to the program that it starts
// how much time it has, and which folder to load: an evaluation that was given up ends with its process
// only, and nothing else shows what a process took at most.
const aloneIn = "PIKACI_TEST_ALONE_IN"

func TestMain(m *testing.M) {
	if budget, dir, found := strings.Cut(os.Getenv(aloneIn), " "); found {
		limit, err := time.ParseDuration(budget)
		if err != nil {
			panic(err)
		}
		os.Exit(alone(dir, Budget{limit, hardMemory}))
	}
	os.Exit(m.Run())
}

// alone loads and compiles a folder of lanes and writes what was found.
func alone(dir string, b Budget) int {
	var found Diagnostics
	c, err := LoadWithin(dir, b)
	if err == nil {
		_, err = c.Compile(Select{})
	}
	if err != nil && !errors.As(err, &found) {
		fmt.Fprintf(os.Stderr, "no diagnostics: %v\n", err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		return 1
	}
	return 0
}

// TestHardCases loads lane files of the kinds that CUE's evaluator has had
// trouble with. Each gives lanes, or a few diagnostics whose first is at the
// lane files, within the budget, and the process lives to say so.
func TestHardCases(t *testing.T) {
	if raced {
		t.Skip("time and memory are what is tested, and the race detector takes more of both: go test without -race does it")
	}
	for _, c := range hardCases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFiles(t, dir, append(txtar.Parse([]byte(implied)).Files, txtar.Parse([]byte(c.files)).Files...))
			// What is to succeed takes a tenth of that on an idle machine.
			limit := 10 * time.Second
			if c.want == over {
				limit = 2 * time.Second
			}
			found := loadAlone(t, dir, limit)
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("found %s", printed(found))
			case c.want == "":
			case len(found) == 0:
				t.Errorf("no mistake was found, want %s", c.want)
			case !regexp.MustCompile(c.want).MatchString(found[0].Message):
				t.Errorf("found %s\nwant %s", printed(found), c.want)
			case len(found) > 3:
				t.Errorf("%d diagnostics for one mistake:\n%s", len(found), printed(found))
			case !c.mayBeAt(found[0].Position):
				t.Errorf("the first is at %s", found[0].Position)
			}
		})
	}
}

// mayBeAt reports whether a case's first diagnostic is at one of its own
// files. What spends the budget at once is said of the folder, or of what was
// being tried.
func (c hardCase) mayBeAt(at Position) bool {
	return strings.Contains(c.files, "-- "+at.File+" --\n") || c.want == over && strings.HasPrefix(at.File, "lanes")
}

// loadAlone loads the lanes of a folder by a process of its own.
func loadAlone(t *testing.T, dir string, limit time.Duration) Diagnostics {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), aloneIn+"="+limit.String()+" lanes")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		said := errOut.String()
		t.Fatalf("%v: %.2000s", err, said)
	}
	if took > limit+4*time.Second {
		t.Errorf("took %v", took)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	t.Logf("took %v, %d MiB", took, usage.Maxrss>>10)
	if held := usage.Maxrss << 10; held > hardMemory+hardSlack {
		t.Errorf("took %d MiB of memory", held>>20)
	}
	var found Diagnostics
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		told(t, found, "")
		t.Logf("found\n%s", printed(found))
	}
	return found
}

// TestFormatHard formats what recurses without end.
func TestFormatHard(t *testing.T) {
	for name, content := range map[string]string{
		"sums":  "x: 1" + strings.Repeat(" + 1", 10000),
		"colon": "x: " + strings.Repeat("a: ", 10000) + "1",
		"list":  "x: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
	} {
		_, err := Format("x.cue", []byte(content))
		var found Diagnostics
		if !errors.As(err, &found) || found[0].Position.File != "x.cue" || found[0].Position.Line != 1 || !strings.Contains(found[0].Message, "nests") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
