package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/runtime/process"
)

// An image may bring a runner of its own, which starts the command. It finds a
// request file and leaves a result file; docs/guest-runner.md says what is in
// them. It runs as the job's user, so that nothing which the job can spoil is
// more than the job's own.

// The runner's files, under guest.RunnerDir, which is the job's user's.
const (
	requestFile = guest.RunnerDir + "/request.json"
	secretsFile = guest.RunnerDir + "/secrets.json"
	stateFile   = guest.RunnerDir + "/status.json"
	resultFile  = guest.RunnerDir + "/result.json"
	ownWords    = guest.RunnerDir + "/runner.log"
)

// shared are files that the runner appends to and that are followed as the
// job's own: the same file under two names, so that a link which the job puts
// in its place leads nowhere.
var shared = map[string]string{
	stdoutFile: guest.RunnerDir + "/stdout.log",
	stderrFile: guest.RunnerDir + "/stderr.log",
	eventsFile: guest.RunnerDir + "/events.jsonl",
}

const (
	// maxResult is the largest result or state of a runner, in bytes.
	maxResult = 64 << 10
	// runnerGrace is how much longer than the command a runner may take: it
	// is the one to stop the command in time.
	runnerGrace = 5 * time.Second
)

// runnerRequest is what a runner finds in request.json.
type runnerRequest struct {
	SchemaVersion int               `json:"schema_version"`
	Command       []string          `json:"command"`
	Env           map[string]string `json:"env"`
	// SecretsFile holds more of the environment; empty: there is none.
	SecretsFile string `json:"secrets_file,omitempty"`
	Cwd         string `json:"cwd"`
	TimeoutSecs int64  `json:"timeout_secs"`
	User        int    `json:"user"`
	Events      string `json:"events"`
	Stdout      string `json:"stdout"`
	Stderr      string `json:"stderr"`
	Status      string `json:"status"`
	Result      string `json:"result"`
}

// runRunner has the image's runner run the command and takes how it ended from
// its result.
func runRunner(ctx context.Context, r guest.Request, gid int) (process.Exit, error) {
	if err := layOut(r, gid); err != nil {
		return process.Exit{}, fmt.Errorf("make the guest runner's files: %w", err)
	}
	words, err := os.OpenFile(ownWords, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return process.Exit{}, err
	}
	if err := writeWhole(startedFile, nil); err != nil {
		return process.Exit{}, err
	}
	limit := r.Timeout
	if limit > 0 {
		limit += runnerGrace
	}
	exit, err := process.Run(ctx, process.Spec{
		Argv: []string{r.Runner, requestFile}, Env: map[string]string{"PATH": path, "HOME": homeDir},
		Dir: guest.RunnerDir, Stdout: words, Stderr: words, Timeout: limit, Orphans: true, Credential: as(r.User, gid),
	})
	os.Remove(secretsFile)
	if err != nil || exit.TimedOut {
		return exit, err
	}
	if exit.Problem != "" {
		return process.Exit{}, fmt.Errorf("start the guest runner %s: %s", r.Runner, exit.Problem)
	}
	result, err := readResult()
	if err != nil {
		return process.Exit{}, errors.New(masked(r, fmt.Sprintf("the guest runner %s ended with exit code %d%s: %v", r.Runner, exit.Code, lastState(), err)))
	}
	result.Problem, result.Signal = masked(r, result.Problem), masked(r, result.Signal)
	return result, nil
}

// masked is a text without the secrets' values: what a runner says ends up in
// records.
func masked(r guest.Request, text string) string {
	for _, name := range r.Secrets {
		if value := r.Env[name]; value != "" {
			text = strings.ReplaceAll(text, value, "***")
		}
	}
	return text
}

func as(user, gid int) *syscall.Credential {
	return &syscall.Credential{Uid: uint32(user), Gid: uint32(gid), Groups: []uint32{uint32(gid)}}
}

// layOut makes the runner's folder with its request and its secrets, which only
// the job's user and root can read.
func layOut(r guest.Request, gid int) error {
	if err := os.Mkdir(guest.RunnerDir, 0o700); err != nil {
		return err
	}
	plain, secret := map[string]string{"PATH": path}, map[string]string{}
	for name, value := range r.Env {
		plain[name] = value
	}
	plain["HOME"] = homeDir
	for _, name := range r.Secrets {
		if value, ok := plain[name]; ok {
			secret[name] = value
			delete(plain, name)
		}
	}
	request := runnerRequest{SchemaVersion: 1, Command: r.Argv, Env: plain, Cwd: r.WorkingDir,
		TimeoutSecs: int64(r.Timeout / time.Second), User: r.User, Events: shared[eventsFile],
		Stdout: shared[stdoutFile], Stderr: shared[stderrFile], Status: stateFile, Result: resultFile}
	if len(secret) > 0 {
		request.SecretsFile = secretsFile
		if err := writeFor(secretsFile, secret, r.User, gid); err != nil {
			return err
		}
	}
	if err := writeFor(requestFile, request, r.User, gid); err != nil {
		return err
	}
	for own, name := range shared {
		if err := errors.Join(os.Link(own, name), os.Chown(name, r.User, gid)); err != nil {
			return err
		}
	}
	return os.Chown(guest.RunnerDir, r.User, gid)
}

// writeFor writes JSON that only the job's user and root can read.
func writeFor(name string, v any, user, gid int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := writeWhole(name, b); err != nil {
		return err
	}
	return os.Chown(name, user, gid)
}

// runnerResult is what a runner leaves in result.json.
type runnerResult struct {
	SchemaVersion int     `json:"schema_version"`
	Status        string  `json:"status"`
	ExitCode      *int    `json:"exit_code"`
	Signal        string  `json:"signal"`
	Message       string  `json:"message"`
	StartedAt     *string `json:"started_at"`
	FinishedAt    *string `json:"finished_at"`
}

// readResult reads how the command ended. What contradicts itself is no result.
func readResult() (process.Exit, error) {
	b, err := readSmall(resultFile)
	if errors.Is(err, os.ErrNotExist) {
		return process.Exit{}, errors.New("it left no result.json")
	}
	if err != nil {
		return process.Exit{}, fmt.Errorf("read its result.json: %w", err)
	}
	return exitOf(b)
}

func exitOf(b []byte) (process.Exit, error) {
	var r runnerResult
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return process.Exit{}, fmt.Errorf("read its result.json: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return process.Exit{}, errors.New("its result.json holds more than one value")
	}
	if r.SchemaVersion != 1 {
		return process.Exit{}, fmt.Errorf("schema_version of its result.json is %d: this pikaci reads version 1", r.SchemaVersion)
	}
	bad := func(why string) (process.Exit, error) {
		return process.Exit{}, fmt.Errorf("its result.json says %q and %s", r.Status, why)
	}
	switch {
	case r.ExitCode != nil && r.Signal != "":
		return bad("both exit_code and signal")
	case r.ExitCode != nil && (*r.ExitCode < 0 || *r.ExitCode > 255):
		return bad(fmt.Sprintf("exit_code %d", *r.ExitCode))
	}
	exit := process.Exit{Code: -1, Signal: r.Signal, TimedOut: r.Status == "timed_out"}
	if r.ExitCode != nil {
		exit.Code = *r.ExitCode
	}
	switch r.Status {
	case "passed":
		if exit.Code != 0 {
			return bad("no exit_code 0")
		}
	case "failed":
		if exit.Code == 0 || exit.Code < 0 && r.Signal == "" {
			return bad("neither another exit_code than 0 nor a signal")
		}
	case "timed_out":
		if exit.Code < 0 && r.Signal == "" {
			return bad("neither exit_code nor signal")
		}
	default:
		return bad("no status that is passed, failed or timed_out")
	}
	if exit.Code > 0 {
		exit.Problem = r.Message
	}
	return exit, nil
}

// readSmall reads a file of the runner, which is a regular one and small.
func readSmall(name string) ([]byte, error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxResult+1))
	if err == nil && len(b) > maxResult {
		err = fmt.Errorf("%s is over %d KiB", filepath.Base(name), maxResult>>10)
	}
	return b, err
}

// lastState is what a runner without a result said of itself.
func lastState() string {
	said := ""
	var state struct{ State string }
	if b, err := readSmall(stateFile); err == nil && json.Unmarshal(b, &state) == nil && state.State != "" {
		said = fmt.Sprintf(" in state %.100q", state.State)
	}
	if f, err := openRegular(ownWords); err == nil {
		defer f.Close()
		if b, _ := io.ReadAll(io.LimitReader(f, 300)); len(b) > 0 {
			said += " after " + fmt.Sprintf("%q", strings.TrimSpace(string(b)))
		}
	}
	return said
}
