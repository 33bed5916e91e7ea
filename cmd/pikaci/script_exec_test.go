package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// execCommands are the harness's commands for scripts that carry plans out.
func execCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"normalize":    normalize,
		"nothing-left": nothingLeft,
		"removes-kept": removesKept,
		"tmpfs":        tmpfs,
		"start":        start,
		"await":        await,
		"signal":       signalStarted,
		"ended":        ended,
		"killed":       killed,
	}
}

// varying are what differs from run to run, and what stands for it. Widths are
// kept where a table's columns depend on them.
var varying = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b01[0-9a-hjkmnp-tv-z]{24}\b`), "RUN"},
	{regexp.MustCompile(`\bpikaci-[0-9a-f]{12}\b`), "pikaci-INSTANCE"},
	{regexp.MustCompile(`/nix/store/[0-9a-z]{32}-`), "/nix/store/HASH-"},
	{regexp.MustCompile(`\bsha256:[0-9a-f]{9,64}`), "sha256:HASH"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "SHA256"},
	{regexp.MustCompile(`/guest/[0-9a-f]{16}\b`), "/guest/HASH"},
	{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "UUID"},
	{regexp.MustCompile(`\b\d\.\d\ds`), "0.00s"},
	{regexp.MustCompile(`([ (])\d\ds\b`), "${1}0.00s"},
	{regexp.MustCompile(`"duration_ms": ?\d+`), `"duration_ms": 0`},
	{regexp.MustCompile(`\bin process \d+`), "in process PID"},
	{regexp.MustCompile(`"age_secs": ?\d+`), `"age_secs": 0`},
	{regexp.MustCompile(`"bytes": ?\d+`), `"bytes": 0`},
	{regexp.MustCompile(`"20\d\d-\d\d-\d\dT[0-9:.]+Z"`), `"TIME"`},
	{regexp.MustCompile(`\b[0-2]\d:[0-5]\d:[0-5]\d\b`), "00:00:00"},
	{regexp.MustCompile(`"Linux \S+ (x86_64|aarch64)"`), `"KERNEL"`},
	{regexp.MustCompile(`"pikaci": ?"[^"]*"`), `"pikaci": "VERSION"`},
	{regexp.MustCompile(`\b\d+ files?, [0-9.]+ (MiB|KiB|B), `), "N files, SIZE, "},
	{regexp.MustCompile(`\bon \d+ processors? and [\d.]+ GiB`), "on N processors and N GiB"},
}

// normalize writes a file, or stdout or stderr, with fixed words in place of
// what differs from run to run: normalize FILE TO.
func normalize(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: normalize FILE TO")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), ts.Getenv("WORK"), "$WORK")
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// nothingLeft wants a run, and no instance left of any: nothing-left [STATE].
func nothingLeft(ts *testscript.TestScript, neg bool, args []string) {
	state := ".pikaci"
	if len(args) == 1 {
		state = args[0]
	}
	runs, err := os.ReadDir(filepath.Join(ts.MkAbs(state), "runs"))
	ts.Check(err)
	for _, r := range runs {
		out, err := exec.Command("incus", "list", "--all-projects", "--format", "csv", "--columns", "n",
			"user.pikaci.run="+r.Name()).CombinedOutput()
		if err != nil || len(out) > 0 {
			ts.Fatalf("instances of run %s: %s%v", r.Name(), out, err)
		}
	}
}

// removesKept removes at the script's end, whatever that is, all instances of a
// state root: removes-kept [STATE].
func removesKept(ts *testscript.TestScript, neg bool, args []string) {
	state := ".pikaci"
	if len(args) == 1 {
		state = args[0]
	}
	id := filepath.Join(ts.MkAbs(state), "id")
	ts.Defer(func() {
		root, err := os.ReadFile(id)
		if err != nil {
			return // none was made
		}
		out, _ := exec.Command("incus", "list", "--format", "csv", "--columns", "n",
			"user.pikaci.root="+strings.TrimSpace(string(root))).Output()
		for _, name := range strings.Fields(string(out)) {
			exec.Command("incus", "delete", "--force", name).Run()
		}
	})
}

// tmpfs mounts a small file system: tmpfs DIR SIZE.
func tmpfs(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tmpfs DIR SIZE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(unix.Mount("pikaci-test", dir, "tmpfs", 0, "size="+args[1]))
	ts.Defer(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// started is the program of start, kept among the script's values.
type started struct {
	cmd            *exec.Cmd
	stdout, stderr strings.Builder
}

type startedKey struct{}

// start starts a program and does not wait for it: start PROGRAM [ARG...]. The
// testscript's own & gives no exit code.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: start PROGRAM [ARG...]")
	}
	program, err := exec.LookPath(args[0])
	ts.Check(err)
	s := ts.Value(startedKey{}).(*started)
	*s = started{cmd: exec.Command(program, args[1:]...)}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = ts.MkAbs("."), &s.stdout, &s.stderr
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "PATH", "GORACE", "TMPDIR", "DEPLOY"} {
		s.cmd.Env = append(s.cmd.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(s.cmd.Start())
	cmd := s.cmd
	ts.Defer(func() { cmd.Process.Kill() })
}

// patience is how long a script waits for what must come.
const patience = 60 * time.Second

// await waits until a file of that name, a pattern, holds a text, or so many of
// it: await GLOB TEXT [NUMBER].
func await(ts *testscript.TestScript, neg bool, args []string) {
	number := 1
	if len(args) == 3 {
		var err error
		number, err = strconv.Atoi(args[2])
		ts.Check(err)
		args = args[:2]
	}
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await GLOB TEXT [NUMBER]")
	}
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(5 * time.Millisecond) {
		names, err := filepath.Glob(ts.MkAbs(args[0]))
		ts.Check(err)
		for _, name := range names {
			if b, err := os.ReadFile(name); err == nil && strings.Count(string(b), args[1]) >= number {
				return
			}
		}
	}
	ts.Fatalf("no %s came to hold %d times %q", args[0], number, args[1])
}

// signalStarted sends a signal to the started program: signal INT.
func signalStarted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: signal NAME")
	}
	s := ts.Value(startedKey{}).(*started)
	ts.Check(s.cmd.Process.Signal(unix.SignalNum("SIG" + args[0])))
}

// ended waits for the started program and wants this exit code: ended CODE.
// Its output is compared afterwards, as after exec.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ended CODE")
	}
	s := ts.Value(startedKey{}).(*started)
	timer := time.AfterFunc(patience, func() { s.cmd.Process.Signal(syscall.SIGQUIT) })
	defer timer.Stop()
	err := s.cmd.Wait()
	fmt.Fprint(ts.Stdout(), s.stdout.String())
	fmt.Fprint(ts.Stderr(), s.stderr.String())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if got := fmt.Sprint(s.cmd.ProcessState.ExitCode()); got != args[0] {
		ts.Fatalf("exit code %s, want %s\n%s%s", got, args[0], s.stdout.String(), s.stderr.String())
	}
}

// killed waits for the started program, which got KILL.
func killed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: killed")
	}
	s := ts.Value(startedKey{}).(*started)
	var exit *exec.ExitError
	if err := s.cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		ts.Fatalf("it was not killed: %v\n%s", err, s.stderr.String())
	}
}
