package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/runtime/process"
)

// path is PATH where the job says nothing of it: the usual folders, and those
// of NixOS.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"

var errCancelled = errors.New("the host asked to stop")

// supervise runs the command to its end and writes how it ended. A request that
// can't be read is one whose sender died over it: nothing has run then.
func supervise(stdin *os.File) error {
	syscall.CloseOnExec(lockFD)
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() { <-signals; cancel(errCancelled) }()
	var r guest.Request
	if err := readJSON(stdin, &r); err != nil {
		return errors.New("read the request: " + err.Error())
	}
	room := keepRoom()
	status := runJob(ctx, r)
	status.Stdout, status.Stderr = sizeOf(stdoutFile), sizeOf(stderrFile)
	b, err := json.Marshal(status)
	if err != nil {
		return err
	}
	return room.write(b)
}

// room is a place for the status on a disk that the job may fill.
type room struct{ file *os.File }

// keepRoom takes the room, as far as it is to be had.
func keepRoom() room {
	f, err := os.OpenFile(statusFile+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return room{}
	}
	syscall.Fallocate(int(f.Fd()), 0, 0, guest.MaxStatus)
	return room{f}
}

// write makes the room the status, whole or not at all.
func (r room) write(b []byte) error {
	if r.file == nil {
		return writeWhole(statusFile, b)
	}
	_, err := r.file.WriteAt(b, 0)
	if err = errors.Join(err, r.file.Truncate(int64(len(b))), r.file.Close()); err != nil {
		return err
	}
	return os.Rename(r.file.Name(), statusFile)
}

func runJob(ctx context.Context, r guest.Request) guest.Status {
	exit, err := runCommand(ctx, r)
	switch {
	case errors.Is(err, errCancelled):
		return guest.Status{Code: -1, Cancelled: true}
	case err != nil:
		return guest.Status{Code: -1, Broken: err.Error()}
	}
	return guest.Status{Code: exit.Code, Signal: exit.Signal, TimedOut: exit.TimedOut, Problem: exit.Problem}
}

func runCommand(ctx context.Context, r guest.Request) (process.Exit, error) {
	loopbackUp()
	if err := linkRunDir(); err != nil {
		return process.Exit{}, err
	}
	gid := groupOf(r.User)
	if err := ownPlaces(ctx, r, gid); err != nil {
		return process.Exit{}, err
	}
	if r.Runner != "" {
		return runRunner(ctx, r, gid)
	}
	stdout, err := os.OpenFile(stdoutFile, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return process.Exit{}, err
	}
	stderr, err := os.OpenFile(stderrFile, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return process.Exit{}, err
	}
	env := map[string]string{"PATH": path}
	for k, v := range r.Env {
		env[k] = v
	}
	env["HOME"] = homeDir
	if err := writeWhole(startedFile, nil); err != nil {
		return process.Exit{}, err
	}
	return process.Run(ctx, process.Spec{
		Argv: r.Argv, Env: env, Dir: r.WorkingDir, Stdout: stdout, Stderr: stderr, Timeout: r.Timeout,
		// What still ran would write on, and hold what the artifacts are.
		Orphans:    true,
		Credential: as(r.User, gid),
	})
}

// linkRunDir makes the places known by the name that jobs are told. systemd
// mounts over /run as it comes up, which a container's first command may be
// faster than: the link would be gone.
func linkRunDir() error {
	init, _ := os.ReadFile("/proc/1/comm")
	for range 100 {
		if string(init) != "systemd\n" || exists("/run/systemd/system") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := os.MkdirAll(filepath.Dir(guest.RunDir), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(guest.Dir, guest.RunDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// ownPlaces gives the job's places to its user, and makes its workspace.
func ownPlaces(ctx context.Context, r guest.Request, gid int) error {
	for _, dir := range []string{homeDir, artifactsDir} {
		if err := os.Chown(dir, r.User, gid); err != nil {
			return err
		}
	}
	if r.Writable {
		return makeWorkspace(ctx, r.User, gid)
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
		if len(f) >= 4 && f[2] == strconv.Itoa(uid) {
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
