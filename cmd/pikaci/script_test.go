package main

import (
	"errors"
	"flag"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// update writes what the scripts print into the files that they are compared
// with: go test ./cmd/pikaci -update.
var update = flag.Bool("update", false, "update the expectations of the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pikaci": main})
}

// TestScript runs testdata/script: the command as its users see it, with exact
// messages. A script's name begins with what it is about.
func TestScript(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	commands := execCommands()
	commands["exits"] = exits
	commands["events"] = events
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Defer(func() { checkRecords(t, e.WorkDir) })
			return setupScript(e, root)
		},
		Cmds: commands,
	})
}

// setupScript keeps the machine's git settings, clock and runner file out of
// the scripts.
func setupScript(e *testscript.Env, root string) error {
	e.Values[startedKey{}] = new(started)
	for name, value := range map[string]string{
		"HOME": e.WorkDir,
		// Beside the work, which scripts take snapshots of.
		"XDG_CACHE_HOME": e.WorkDir + "-cache",
		// Under -race each process else sleeps a second at its end.
		"GORACE":                  "atexit_sleep_ms=0",
		"ROOT":                    root,
		"RUNNER":                  filepath.Join(root, "cmd/pikaci/testdata/runner.json"),
		"GIT_CONFIG_NOSYSTEM":     "1",
		"GIT_CONFIG_GLOBAL":       "/dev/null",
		"GIT_CEILING_DIRECTORIES": filepath.Dir(e.WorkDir),
		"GIT_AUTHOR_NAME":         "author",
		"GIT_AUTHOR_EMAIL":        "author@example.org",
		"GIT_AUTHOR_DATE":         "2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME":      "committer",
		"GIT_COMMITTER_EMAIL":     "committer@example.org",
		"GIT_COMMITTER_DATE":      "2026-01-02T03:04:05Z",
	} {
		e.Setenv(name, value)
	}
	return nil
}

// exits runs a program and wants this exit code: exits CODE PROGRAM [ARG...].
// Stdout and stderr are compared afterwards, as after exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
