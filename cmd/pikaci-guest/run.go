package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/sledtools/pikaci/runtime/guest"
)

// The files of a job, under guest.Dir. Only root reads what is in job.
const (
	startLock     = guest.Dir + "/lock"
	jobDir        = guest.Dir + "/job"
	stdoutFile    = jobDir + "/stdout"
	stderrFile    = jobDir + "/stderr"
	eventsFile    = jobDir + "/events"
	statusFile    = jobDir + "/status.json"
	startedFile   = jobDir + "/started"
	pidFile       = jobDir + "/supervisor.pid"
	supervisorLog = jobDir + "/supervisor.log"
	homeDir       = guest.Dir + "/home"
	artifactsDir  = guest.Dir + "/artifacts"
	workspaceDir  = guest.Dir + "/workspace"
)

// run starts the supervisor, unless the job was started before, and follows the
// job to its end. What goes wrong here is the job's end as well: only a request
// that can't be read, and output that nobody takes, leave that open.
func run(stdin, stdout *os.File) error {
	// At once: a signal that ends this program would stop nothing.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	var start guest.Start
	if err := readJSON(stdin, &start); err != nil {
		return errors.New("read the request: " + err.Error())
	}
	err := startOnce(start.Request)
	go passOn(signals)
	if err == nil {
		err = follow(stdout, start)
	}
	if lost := (*lostError)(nil); err == nil || errors.As(err, &lost) {
		return err
	}
	b, err := json.Marshal(guest.Status{Code: -1, Broken: err.Error()})
	if err == nil {
		err = guest.WriteFrame(stdout, guest.Ended, b)
	}
	if err == nil {
		err = guest.WriteFrame(stdout, guest.Done, nil)
	}
	return err
}

// passOn asks the supervisor to stop the job when this program is asked to. The
// job's end is waited for all the same.
func passOn(signals <-chan os.Signal) {
	for range signals {
		if pid := supervisor(); pid > 1 {
			syscall.Kill(pid, syscall.SIGTERM)
		}
	}
}

// startOnce makes the job's places and starts its supervisor. A job was started
// once its pid file is there: the command runs after that only.
func startOnce(r guest.Request) error {
	if err := os.MkdirAll(guest.Dir, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(startLock, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if exists(pidFile) {
		return nil
	}
	if err := makePlaces(); err != nil {
		return err
	}
	if err := startSupervisor(r); err != nil {
		return errors.New("start the supervisor: " + err.Error())
	}
	return nil
}

// makePlaces makes the folders and files of the job. One job runs in a guest.
func makePlaces() error {
	for _, dir := range []string{homeDir, artifactsDir, jobDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(jobDir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{stdoutFile, stderrFile, eventsFile} {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		f.Close()
	}
	return nil
}

// startSupervisor starts this program again in a session of its own. The
// request goes over a pipe: it may hold secrets, and no file does. The pid file
// is locked by whoever has it open, which is the supervisor, as long as it
// lives: a pid alone may be anybody's.
func startSupervisor(r guest.Request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	log, err := os.OpenFile(supervisorLog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	pid, err := os.OpenFile(pidFile+".tmp", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(pid.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := os.StartProcess(self, []string{self, "supervise"}, &os.ProcAttr{
		Dir: "/", Env: []string{}, Files: []*os.File{in, log, log, pid},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	// Its parent is init soon; until then it is us.
	go p.Wait()
	in.Close()
	log.Close()
	_, err = pid.WriteString(strconv.Itoa(p.Pid))
	if err = errors.Join(err, pid.Close()); err != nil {
		return err
	}
	if err := os.Rename(pidFile+".tmp", pidFile); err != nil {
		return err
	}
	_, err = out.Write(b)
	return err
}

// lockFD is where the supervisor finds its locked pid file.
const lockFD = 3

// supervisor is the pid of the supervisor while it lives, else 0.
func supervisor() int {
	f, err := openRegular(pidFile)
	if err != nil {
		return 0
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	b := make([]byte, 16)
	n, _ := f.Read(b)
	pid, err := strconv.Atoi(string(b[:n]))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}

// openRegular opens a regular file for reading, and nothing else: a FIFO in its
// place would be waited for.
func openRegular(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(name + " is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// writeWhole writes a file whole or not at all. It is not synced: what ends the
// guest's kernel ends the job too, whatever its status was.
func writeWhole(name string, b []byte) error {
	tmp := name + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
