package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sledtools/pikaci/runtime/guest"
)

// The files of a job, under guest.Dir. Only root reads what is in job.
const (
	jobDir        = guest.Dir + "/job"
	stdoutFile    = jobDir + "/stdout"
	stderrFile    = jobDir + "/stderr"
	statusFile    = jobDir + "/status.json"
	startedFile   = jobDir + "/started"
	pidFile       = jobDir + "/supervisor.pid"
	supervisorLog = jobDir + "/supervisor.log"
	homeDir       = guest.Dir + "/home"
	artifactsDir  = guest.Dir + "/artifacts"
	workspaceDir  = guest.Dir + "/workspace"
)

// run starts the supervisor and follows the job to its end.
func run(stdin, stdout *os.File) error {
	var start guest.Start
	if err := readJSON(stdin, &start); err != nil {
		return errors.New("read the request: " + err.Error())
	}
	if err := makePlaces(); err != nil {
		return err
	}
	if err := startSupervisor(start.Request); err != nil {
		return errors.New("start the supervisor: " + err.Error())
	}
	return follow(stdout, start.Follow)
}

// makePlaces makes the folders and files of the job. One job runs in a guest.
func makePlaces() error {
	for _, dir := range []string{guest.Dir, homeDir, artifactsDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := os.Mkdir(jobDir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return errors.New("a job was started in this guest before")
		}
		return err
	}
	if err := os.MkdirAll(filepath.Dir(guest.RunDir), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(guest.Dir, guest.RunDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, name := range []string{stdoutFile, stderrFile} {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		f.Close()
	}
	return nil
}

// startSupervisor starts this program again in a session of its own. The
// request goes over a pipe: it may hold secrets, and no file does.
func startSupervisor(r guest.Request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(supervisorLog, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := os.StartProcess(self, []string{self, "supervise"}, &os.ProcAttr{
		Dir: "/", Env: []string{}, Files: []*os.File{in, log, log},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	in.Close()
	log.Close()
	if err := writeWhole(pidFile, []byte(itoa(p.Pid))); err != nil {
		return err
	}
	// Should it die before it ends the job, whoever follows must not wait for
	// ever: the parent of an orphan is init, but while we live it is us.
	go p.Wait()
	_, err = bytes.NewReader(b).WriteTo(out)
	return errors.Join(err, out.Close())
}

// writeWhole writes a file whole or not at all.
func writeWhole(name string, b []byte) error {
	tmp := name + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, name)
}
