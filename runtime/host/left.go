package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Left is a process of a host job, as its environment tells: its artifacts
// folder lies in a run's directory. What it started has the same, mostly.
type Left struct {
	PID      int
	Run, Job string
	// Command is the program's short name.
	Command string
}

const artifactsVariable = "PIKACI_ARTIFACTS="

// Marked are the processes of host jobs of a state root's runs, under way or
// left by a pikaci that was killed. Of processes of others nothing can be read.
func Marked(stateRoot string) ([]Left, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []Left
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if l, ok := marked(stateRoot, pid); ok {
			found = append(found, l)
		}
	}
	return found, nil
}

func marked(stateRoot string, pid int) (Left, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	env, err := os.ReadFile(filepath.Join(dir, "environ"))
	if err != nil {
		return Left{}, false
	}
	for pair := range bytes.SplitSeq(env, []byte{0}) {
		path, is := strings.CutPrefix(string(pair), artifactsVariable+filepath.Join(stateRoot, "runs")+"/")
		if !is {
			continue
		}
		// <run>/jobs/<job>/scratch/artifacts
		parts := strings.Split(path, "/")
		if len(parts) != 5 || parts[1] != "jobs" || parts[3] != "scratch" {
			return Left{}, false
		}
		comm, err := os.ReadFile(filepath.Join(dir, "comm"))
		return Left{PID: pid, Run: parts[0], Job: parts[2], Command: strings.TrimSpace(string(comm))}, err == nil
	}
	return Left{}, false
}

// End kills a process that was left, and its group where it leads one. The
// handle is taken before the mark is read again: a pid that is another
// process's by now is not touched.
func (l Left) End(stateRoot string) error {
	p, err := os.FindProcess(l.PID)
	if err != nil {
		return err
	}
	defer p.Release()
	if now, still := marked(stateRoot, l.PID); !still || now.Run != l.Run || now.Job != l.Job {
		return nil
	}
	if group, err := syscall.Getpgid(l.PID); err == nil && group == l.PID {
		syscall.Kill(-l.PID, syscall.SIGKILL)
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// EndLeft ends what is left of one run's host jobs. Its caller owns the run.
func EndLeft(stateRoot, run string) error {
	_, err := endLeft(stateRoot, "host jobs of run "+run, func(l Left) bool { return l.Run == run })
	return err
}

// endTime is how long processes that were killed may take to be gone: longer
// than a moment where the machine is busy, or the disk that they wait for.
const endTime = 10 * time.Second

// endLeft ends those that are ours, and tells which they were; what names them.
func endLeft(stateRoot, what string, ours func(Left) bool) (ended []string, err error) {
	begin := time.Now()
	// Again and again: what is killed may be starting another one.
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		all, err := Marked(stateRoot)
		if err != nil {
			return ended, err
		}
		var errs []error
		var left []string
		for _, l := range all {
			if ours(l) {
				errs = append(errs, l.End(stateRoot))
				left = append(left, fmt.Sprintf("%d (%s)", l.PID, l.Command))
			}
		}
		for _, l := range left {
			if !slices.Contains(ended, l) {
				ended = append(ended, l)
			}
		}
		if err := errors.Join(errs...); len(left) == 0 || err != nil {
			return ended, err
		}
		if time.Since(begin) > endTime {
			return ended, fmt.Errorf("processes of %s don't end: %s", what, strings.Join(left, ", "))
		}
		time.Sleep(pause)
	}
}
