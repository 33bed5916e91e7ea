package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// pty opens a terminal: what is written to one end is typed at the other.
func pty(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}

func resizeTo(t *testing.T, terminal *os.File, width, height uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height}); err != nil {
		t.Fatal(err)
	}
}

// screenText is what a terminal was sent.
type screenText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screenText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screenText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// shows waits until the terminal was sent a text.
func (s *screenText) shows(t *testing.T, want string) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(10 * time.Millisecond) {
		if strings.Contains(s.String(), want) {
			return
		}
	}
	t.Fatalf("no %q came:\n%s", want, s.String())
}

// TestShellOnATerminal: the shell has the terminal, learns of its size and each
// new one, gets control characters as they are typed; and at its end the
// terminal is as it was, and the exit code the shell's.
func TestShellOnATerminal(t *testing.T) {
	dir := t.TempDir()
	call := func(args ...string) *exec.Cmd {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Args[0] = "pikaci" // by which the test's binary is pikaci
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PIKACI_STATE_ROOT=", "TERM=xterm", "GORACE=atexit_sleep_ms=0")
		return cmd
	}
	for name, text := range map[string]string{
		"lanes/lanes.cue": "package lanes\n\nimport \"github.com/sledtools/pikaci/schema\"\n\nlanes: schema.#Lanes\n",
		"lanes/a.cue": `package lanes

lanes: a: {
	title: "a", description: "A."
	incus: {instance_type: "container", cpus: 1, memory: "256MiB"}
	jobs: fails: {description: "Fails.", command: ["false"], env: GREETING: "hello"}
}
`} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := call("compile", "-o", "plan.json").CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	t.Cleanup(func() {
		if out, err := call("gc", "--kept").CombinedOutput(); err != nil || !strings.Contains(string(out), "removed: instance") {
			t.Errorf("%s%v", out, err)
		}
	})
	if out, err := call("exec", "plan.json", "--keep", "failed").CombinedOutput(); err == nil {
		t.Fatalf("it passed:\n%s", out)
	}

	keyboard, terminal := pty(t)
	resizeTo(t, terminal, 100, 30)
	before, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	shown := new(screenText)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buf)
			shown.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	types := func(text string) {
		t.Helper()
		if _, err := keyboard.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	cmd := call("shell", "latest", "fails")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	shown.shows(t, " more)")
	types("stty size; echo $((40+2)) $GREETING $TERM\r")
	shown.shows(t, "30 100")
	shown.shows(t, "42 hello xterm")
	resizeTo(t, terminal, 50, 20)
	types("sleep 0.3; stty size\r")
	shown.shows(t, "20 50")
	// Ctrl-C is the shell's affair, not pikaci's.
	types("sleep 100\r")
	time.Sleep(200 * time.Millisecond)
	types("\x03")
	types("echo $((50+1)) lives\r")
	shown.shows(t, "51 lives")
	types("exit 7\r")
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("it ended with %v:\n%s", err, shown)
	}
	after, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if *after != *before {
		t.Errorf("the terminal is not as it was: %+v, before %+v", after, before)
	}
}
