// Package process runs one command to its end: in a process group of its own,
// with a time limit, stopped by TERM and then KILL, and with nothing left of
// it afterwards. Guests and host jobs are run by the same rules because they
// are run by this package.
//
// It imports the standard library only: it is part of the small program that
// runs inside guests.
package process

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Grace is how long a command that got TERM may take before it gets KILL.
const Grace = 10 * time.Second

// drain is how long output may still come from processes that left the
// command's group after its end.
const drain = time.Second

// Spec is a command to run.
type Spec struct {
	// Argv is the program, looked up in Env's PATH, and its arguments.
	Argv []string
	// Env is the whole environment.
	Env map[string]string
	// Dir is the working directory, absolute.
	Dir string
	// Stdout and Stderr take the output, each from a goroutine of its own: one
	// writer for both must be safe for that. Files are given to the command
	// itself.
	Stdout, Stderr io.Writer
	// Credential is the user to run as; nil: the caller.
	Credential *syscall.Credential
	// Timeout ends the command; 0: no limit.
	Timeout time.Duration
	// Kill ends the grace of a command that was stopped, when it is closed; nil:
	// nothing does.
	Kill <-chan struct{}
	// Left is called once the command has ended and its group was killed: what
	// else it left and is ended there holds its output open no more; nil: nobody
	// is.
	Left func()
	// Orphans kills what left the command's group too, setsid or not. Only a
	// program that runs this one command, as root of what it runs, can say it:
	// every descendant becomes its child.
	Orphans bool
}

// Exit is how a command ended.
type Exit struct {
	// Code is the exit code; 127 where the program was not found and 126
	// where it can't be run; -1 where a signal ended it.
	Code int
	// Signal that ended it, like SIGKILL; empty where it exited.
	Signal string
	// TimedOut says that it was stopped because its time was over.
	TimedOut bool
	// Problem says why the program could not be started; empty where it was.
	Problem string
}

// Run runs the command and returns how it ended. A command that fails is an
// Exit; an error means that it could not be run, or that ctx ended: then the
// error is ctx's cause, and the command has been stopped.
func Run(ctx context.Context, s Spec) (Exit, error) {
	if ctx.Err() != nil {
		return Exit{}, context.Cause(ctx)
	}
	program, exit := find(s)
	if exit != nil {
		return *exit, nil
	}
	cmd := &exec.Cmd{Path: program, Args: s.Argv, Dir: s.Dir, Env: environ(s.Env),
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Credential: s.Credential}}
	out, err := connect(cmd, s)
	if err != nil {
		return Exit{}, err
	}
	if s.Orphans {
		if err := adopt(); err != nil {
			return Exit{}, err
		}
	}
	err = cmd.Start()
	out.closeChildEnds()
	if err != nil {
		out.finish()
		return notStarted(program, err)
	}
	ended := make(chan struct{})
	var waitErr error
	go func() { waitErr = cmd.Wait(); close(ended) }()
	if s.Orphans {
		defer reapOthers(cmd.Process.Pid)()
	}
	end := watch(ctx, cmd.Process.Pid, &s, ended)
	// Whatever it started and left behind in its group goes with it.
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if s.Orphans {
		killOrphans()
	}
	if s.Left != nil {
		s.Left()
	}
	out.finish()
	if end == cancelled {
		return Exit{}, context.Cause(ctx)
	}
	return exitOf(cmd.ProcessState, waitErr, end == timedOut)
}

// end is why a command ended.
type end int

const (
	byItself end = iota
	timedOut
	cancelled
)

// watch returns when the command has ended, and stops it when its time is over
// or ctx ends.
func watch(ctx context.Context, pid int, s *Spec, ended <-chan struct{}) end {
	var over <-chan time.Time
	if s.Timeout > 0 {
		t := time.NewTimer(s.Timeout)
		defer t.Stop()
		over = t.C
	}
	why := timedOut
	select {
	case <-ended:
		return byItself
	case <-over:
	case <-ctx.Done():
		why = cancelled
	}
	syscall.Kill(-pid, syscall.SIGTERM)
	grace, enough := context.WithTimeout(context.Background(), Grace)
	defer enough()
	go func() {
		select {
		case <-s.Kill:
			enough()
		case <-grace.Done():
		}
	}()
	select {
	case <-ended:
		waitForGroup(pid, grace.Done())
	case <-grace.Done():
		syscall.Kill(-pid, syscall.SIGKILL)
		<-ended
	}
	return why
}

// waitForGroup returns when no process of the group is left, or grace is over:
// a shell that ends at once on TERM must not cost its children their time to
// end in order.
func waitForGroup(pid int, grace <-chan struct{}) {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for syscall.Kill(-pid, 0) == nil {
		select {
		case <-look.C:
		case <-grace:
			return
		}
	}
}

func exitOf(state *os.ProcessState, err error, late bool) (Exit, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Exit{}, err
	}
	e := Exit{Code: state.ExitCode(), TimedOut: late}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = SignalName(status.Signal())
	}
	return e, nil
}

func notStarted(program string, err error) (Exit, error) {
	var e *os.PathError
	if !errors.As(err, &e) {
		return Exit{}, err
	}
	if e.Op == "chdir" {
		return Exit{Code: 126, Problem: "working directory " + e.Path + ": " + e.Err.Error()}, nil
	}
	return Exit{Code: 126, Problem: "can't run " + program + ": " + e.Err.Error()}, nil
}

// find looks the program up as the command's own environment would.
func find(s Spec) (string, *Exit) {
	name := s.Argv[0]
	if info, err := os.Stat(s.Dir); err != nil || !info.IsDir() {
		return "", &Exit{Code: 126, Problem: "no working directory " + s.Dir}
	}
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(s.Dir, name)
		}
		if _, err := os.Stat(name); err != nil {
			return "", &Exit{Code: 127, Problem: "no program " + s.Argv[0]}
		}
		return name, nil
	}
	for _, dir := range filepath.SplitList(s.Env["PATH"]) {
		p := filepath.Join(dir, name)
		if !filepath.IsAbs(p) {
			p = filepath.Join(s.Dir, p)
		}
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", &Exit{Code: 127, Problem: "no program " + name + " in PATH " + s.Env["PATH"]}
}

func environ(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	sort.Strings(list)
	return list
}

// output copies what the command writes to those writers that are not files.
type output struct {
	child, parent []*os.File
	copying       sync.WaitGroup
}

// buffers are for output on its way: thousands of commands need few.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func connect(cmd *exec.Cmd, s Spec) (*output, error) {
	o := new(output)
	for _, end := range []struct {
		to  io.Writer
		set *io.Writer
	}{{s.Stdout, &cmd.Stdout}, {s.Stderr, &cmd.Stderr}} {
		if f, ok := end.to.(*os.File); ok || end.to == nil {
			if f != nil {
				*end.set = f
			}
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			o.closeChildEnds()
			o.finish()
			return nil, err
		}
		*end.set = w
		o.child, o.parent = append(o.child, w), append(o.parent, r)
		o.copying.Add(1)
		go func() {
			defer o.copying.Done()
			b := buffers.Get().(*[32 << 10]byte)
			defer buffers.Put(b)
			// A file would bring a buffer of its own.
			io.CopyBuffer(end.to, struct{ io.Reader }{r}, b[:])
		}()
	}
	return o, nil
}

func (o *output) closeChildEnds() {
	for _, f := range o.child {
		f.Close()
	}
}

// finish takes the rest of the output. A process that left the group may hold
// the pipe open for ever: it is not waited for.
func (o *output) finish() {
	done := make(chan struct{})
	go func() { o.copying.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(drain):
	}
	for _, f := range o.parent {
		f.Close()
	}
	<-done
}

// SignalName is a signal's name as kill -l prints it, with SIG.
func SignalName(s syscall.Signal) string {
	if name, ok := signalNames[s]; ok {
		return name
	}
	return "signal " + s.String()
}

var signalNames = map[syscall.Signal]string{
	syscall.SIGABRT: "SIGABRT", syscall.SIGALRM: "SIGALRM", syscall.SIGBUS: "SIGBUS",
	syscall.SIGFPE: "SIGFPE", syscall.SIGHUP: "SIGHUP", syscall.SIGILL: "SIGILL",
	syscall.SIGINT: "SIGINT", syscall.SIGKILL: "SIGKILL", syscall.SIGPIPE: "SIGPIPE",
	syscall.SIGQUIT: "SIGQUIT", syscall.SIGSEGV: "SIGSEGV", syscall.SIGSYS: "SIGSYS",
	syscall.SIGTERM: "SIGTERM", syscall.SIGTRAP: "SIGTRAP", syscall.SIGUSR1: "SIGUSR1",
	syscall.SIGUSR2: "SIGUSR2", syscall.SIGXCPU: "SIGXCPU", syscall.SIGXFSZ: "SIGXFSZ",
}
