package runtimetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Daemon is an incusd of a test's own, which may be killed. It is gone after the
// test, with all that it holds.
type Daemon struct {
	// Dir is its INCUS_DIR.
	Dir string
	Log Log
	t   testing.TB
	mu  sync.Mutex
	cmd *exec.Cmd
}

// NewDaemon starts one that holds nothing yet, and does not wait for it.
func NewDaemon(t testing.TB) *Daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "pikaci-incus-")
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{t: t, Dir: dir}
	t.Cleanup(d.remove)
	// Containers go through it as users of their own.
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	d.Start()
	return d
}

// Start starts the daemon, as scripts/setup does, and does not wait for it.
func (d *Daemon) Start() {
	d.t.Helper()
	const places = "/usr/libexec/incus:/opt/incus/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	program := ""
	for _, dir := range strings.Split(places, ":") {
		if _, err := os.Stat(dir + "/incusd"); err == nil && program == "" {
			program = dir + "/incusd"
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cmd = exec.Command(program)
	d.cmd.Env = []string{"HOME=/root", "LANG=C.UTF-8", "PATH=" + places, "INCUS_DIR=" + d.Dir,
		"INCUS_LXC_TEMPLATE_CONFIG=/nonexistent", "INCUS_SKIP_INSTANCE_TYPES=1"}
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = "/", &d.Log, &d.Log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// What it starts holds its output open for longer than it lives.
	d.cmd.WaitDelay = time.Millisecond
	if err := d.cmd.Start(); err != nil {
		d.t.Fatalf("%v\nrun scripts/setup", err)
	}
}

// Kill kills the daemon; its containers live on.
func (d *Daemon) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cmd.Process.Kill()
	d.cmd.Wait()
}

func (d *Daemon) remove() {
	d.Kill()
	for _, at := range []string{"guestapi", "shmounts"} {
		syscall.Unmount(filepath.Join(d.Dir, at), syscall.MNT_DETACH)
	}
	if err := os.RemoveAll(d.Dir); err != nil {
		d.t.Error(err)
	}
}
