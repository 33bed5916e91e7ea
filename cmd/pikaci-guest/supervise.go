package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/runtime/process"
)

// path is PATH where the job says nothing of it: the usual folders, and those
// of NixOS.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"

var errCancelled = errors.New("the host asked to stop")

// supervise runs the command to its end and writes how it ended. Whatever
// happens, a status is written: somebody waits for it.
func supervise(stdin *os.File) error {
	var r guest.Request
	status := guest.Status{Code: -1}
	if err := readJSON(stdin, &r); err != nil {
		status.Broken = "read the request: " + err.Error()
	} else {
		runJob(r, &status)
	}
	status.Stdout, status.Stderr = sizeOf(stdoutFile), sizeOf(stderrFile)
	b, err := json.Marshal(status)
	if err != nil {
		return err
	}
	return writeWhole(statusFile, b)
}

func runJob(r guest.Request, status *guest.Status) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() { <-signals; cancel(errCancelled) }()

	loopbackUp()
	gid := groupOf(r.User)
	if err := ownPlaces(r, gid); err != nil {
		status.Broken = err.Error()
		return
	}
	stdout, err := os.OpenFile(stdoutFile, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		status.Broken = err.Error()
		return
	}
	stderr, err := os.OpenFile(stderrFile, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		status.Broken = err.Error()
		return
	}
	env := map[string]string{"PATH": path}
	for k, v := range r.Env {
		env[k] = v
	}
	env["HOME"] = homeDir
	if err := writeWhole(startedFile, nil); err != nil {
		status.Broken = err.Error()
		return
	}
	exit, err := process.Run(ctx, process.Spec{
		Argv: r.Argv, Env: env, Dir: r.WorkingDir, Stdout: stdout, Stderr: stderr, Timeout: r.Timeout,
		Credential: &syscall.Credential{Uid: uint32(r.User), Gid: uint32(gid), Groups: []uint32{uint32(gid)}},
	})
	switch {
	case errors.Is(err, errCancelled):
		status.Cancelled = true
	case err != nil:
		status.Broken = err.Error()
	default:
		status.Code, status.Signal, status.TimedOut, status.Problem = exit.Code, exit.Signal, exit.TimedOut, exit.Problem
	}
}

// ownPlaces gives the job's places to its user, and makes its workspace.
func ownPlaces(r guest.Request, gid int) error {
	for _, dir := range []string{homeDir, artifactsDir} {
		if err := os.Chown(dir, r.User, gid); err != nil {
			return err
		}
	}
	if r.Writable {
		return makeWorkspace(r.User, gid)
	}
	return nil
}

// groupOf is the group of a user in /etc/passwd, or the number itself where
// the guest knows no such user.
func groupOf(uid int) int {
	b, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return uid
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) >= 4 && f[2] == itoa(uid) {
			if gid, err := strconv.Atoi(f[3]); err == nil {
				return gid
			}
		}
	}
	return uid
}

func sizeOf(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

func itoa(n int) string { return strconv.Itoa(n) }
