package nix_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/runtimetest"
)

// withShells has development shells; text is in no derivation.
const withShells = `{
  outputs = { self }: {
    devShells.x86_64-linux = {
      default = builtins.derivation { name = "shell"; system = "x86_64-linux"; builder = "/bin/bash"; args = [ ];
        outputs = [ "out" ]; PATH = "/opt/tools:/usr/bin:/bin"; GREETING = "hi"; };
      bad = builtins.derivation { name = "bad"; system = "x86_64-linux"; builder = "/bin/sh"; };
    };
  };
}
`

// shellBench is a run of a state root, whose snapshot holds the flake.
func shellBench(t *testing.T, root, id, hash, flake string) *bench {
	t.Helper()
	origin := &bench{t: t}
	origin.run.StateRoot, origin.run.Snapshot = root, folder(t, flake)
	return origin.later(id, hash)
}

func TestADevelopmentShellIsRenderedOnceForItsDerivation(t *testing.T) {
	root := t.TempDir()
	program, calls := counted(t, "")
	ask := func(b *bench) string {
		t.Helper()
		log := new(runtimetest.Log)
		x := nix.New(nix.Options{Program: program, Settings: settings})
		for range 2 {
			env, out, err := x.DevShell(t.Context(), &b.run, "default", log)
			if err != nil || out.Verdict != event.Passed || env["GREETING"] != "hi" || !strings.HasPrefix(env["PATH"], "/opt/tools:") {
				t.Fatalf("%v, %+v, %v\n%s", env, out, err, log)
			}
			for _, name := range []string{"HOME", "TMPDIR", "TERM", "IFS", "NIX_BUILD_TOP"} {
				if v, there := env[name]; there {
					t.Errorf("%s is %q", name, v)
				}
			}
		}
		return log.String()
	}
	want := func(what string, eval, render int) {
		t.Helper()
		if calls("eval") != eval || calls("print-dev-env") != render {
			t.Errorf("%s: %d evaluations, %d renderings; want %d, %d", what, calls("eval"), calls("print-dev-env"), eval, render)
		}
	}
	ask(shellBench(t, root, "one", "h1", withShells))
	want("the first", 1, 1)
	ask(shellBench(t, root, "two", "h1", withShells))
	want("an equal snapshot", 1, 1)
	if log := ask(shellBench(t, root, "three", "h2", withShells+"# another text\n")); !strings.Contains(log, "which was rendered before") {
		t.Error(log)
	}
	want("another snapshot with the same shell", 2, 1)
	ask(shellBench(t, root, "four", "h3", strings.Replace(withShells, "GREETING = ", "MORE = \"m\"; GREETING = ", 1)))
	want("another shell", 3, 2)

	profiles, err := filepath.Glob(filepath.Join(root, "devshells/*/profile"))
	if err != nil || len(profiles) != 2 {
		t.Fatalf("%q, %v", profiles, err)
	}
	for _, p := range profiles {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	ask(shellBench(t, root, "five", "h1", withShells))
	want("what nothing holds in the store", 3, 3)
}

func TestAShellThatCantBeMadeIsAnOutcomeThatSaysWhy(t *testing.T) {
	b := shellBench(t, t.TempDir(), "one", "h", withShells)
	x := nix.New(nix.Options{Settings: settings})
	for shell, want := range map[string]string{"bad": "only works on derivations that use 'bash'", "nosuch": "does not provide attribute 'devShells"} {
		_, out, err := x.DevShell(t.Context(), &b.run, shell, io.Discard)
		if err != nil || out.Failure != event.Prepare || !strings.Contains(out.Reason, want) || !strings.Contains(out.Reason, "path:snapshot#"+shell) {
			t.Errorf("%s: %+v, %v", shell, out, err)
		}
	}
}

// The derivation of a shell is asked once for a snapshot, by whoever asks first.
func TestTheDerivationOfADevelopmentShell(t *testing.T) {
	root := t.TempDir()
	program, calls := counted(t, "")
	ask := func(id, hash, flake, shell string) (string, error) {
		b := shellBench(t, root, id, hash, flake)
		return nix.New(nix.Options{Program: program, Settings: settings}).ShellDerivation(t.Context(), &b.run, shell)
	}
	one, err := ask("one", "h1", withShells, "default")
	if err != nil || !strings.HasSuffix(one, "-shell.drv") {
		t.Fatalf("%q, %v", one, err)
	}
	if again, err := ask("two", "h1", withShells, "default"); again != one || err != nil || calls("eval") != 1 {
		t.Errorf("an equal snapshot: %q, %v, after %d evaluations", again, err, calls("eval"))
	}
	if same, err := ask("three", "h2", withShells+"# another text\n", "default"); same != one || err != nil {
		t.Errorf("another snapshot with the same shell: %q, %v", same, err)
	}
	if other, err := ask("four", "h3", strings.Replace(withShells, "GREETING", "GREETINGS", 1), "default"); other == one || err != nil {
		t.Errorf("another shell: %q, %v", other, err)
	}
	if drv, err := ask("five", "h4", withShells, "nosuch"); err == nil {
		t.Errorf("a shell that is not there: %q", drv)
	}
	// One that is known is rendered all the same when it is first used.
	b := shellBench(t, root, "six", "h1", withShells)
	env, _, err := nix.New(nix.Options{Program: program, Settings: settings}).DevShell(t.Context(), &b.run, "default", io.Discard)
	if err != nil || env["GREETING"] != "hi" || calls("print-dev-env") != 1 {
		t.Errorf("%v, %v, %d renderings", env, err, calls("print-dev-env"))
	}
}
