package main

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/history"
	"github.com/sledtools/pikaci/runtime/record"
	hostfile "github.com/sledtools/pikaci/schema/runner"
)

// aboutRun says in each help what RUN may be.
const aboutRun = "RUN is latest, a run's id or the beginning of one, or a lane: its newest run."

// records finds the records of runs, by the rule by which exec puts them there.
type records struct{ source, stateRoot, runnerFile string }

func (r *records) register(set *pflag.FlagSet) {
	set.StringVar(&r.stateRoot, "state-root", "", "`DIR` where run records are (default PIKACI_STATE_ROOT, else .pikaci in the source)")
	set.StringVar(&r.source, "source", ".", "`DIR` source tree that the runs are of (default .)")
	set.StringVar(&r.runnerFile, "runner", "", "`FILE` what this host decides (default "+hostfile.DefaultPath+", if there)")
}

// root reads the runner file and works out the state root, absolute.
func (r *records) root(s *session) (root string, runner *hostfile.File, err error) {
	if runner, err = readRunner(r.runnerFile); err != nil {
		return "", nil, err
	}
	source, err := filepath.Abs(r.source)
	if err != nil {
		return "", nil, usage("", "--source: %v", err)
	}
	root, err = stateRootOf(r.stateRoot, s.lookupEnv, runner, source)
	return root, runner, err
}

// open lists the runs.
func (r *records) open(s *session) (*history.Runs, error) {
	root, _, err := r.root(s)
	if err != nil {
		return nil, err
	}
	return history.Open(root)
}

// find is the run that a name stands for.
func (r *records) find(s *session, name string) (*record.Dir, error) {
	runs, err := r.open(s)
	if err != nil {
		return nil, err
	}
	return findIn(runs, name)
}

func findIn(runs *history.Runs, name string) (*record.Dir, error) {
	if name == "" {
		return nil, usage("latest is the newest run", "RUN is empty")
	}
	dir, err := runs.Find(name)
	if e := new(history.FindError); errors.As(err, &e) {
		return nil, usage(didYouMean(nearest(name, e.Names), e.Hint()), "%s", e.Message)
	}
	return dir, err
}

// stateRootOf is where records go: the flag's, the environment's, the runner
// file's, or .pikaci in the source.
func stateRootOf(flag string, env func(string) (string, bool), runner *hostfile.File, source string) (string, error) {
	root := flag
	if root == "" {
		root, _ = env("PIKACI_STATE_ROOT")
	}
	if root == "" {
		root = runner.StateRoot
	}
	if root == "" {
		root = filepath.Join(source, ".pikaci")
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return "", usage("", "--state-root: %v", err)
	}
	return abs, nil
}

// moment is the time that a flag names: a date, a time, or how long ago. The
// day is UTC's, as all times in records are.
func moment(flag, value string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, value); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(value, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 36500 {
			return now.Add(-time.Duration(n * 24 * float64(time.Hour))), nil
		}
	}
	if d, err := time.ParseDuration(value); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, usage("how long ago, like 90m, 24h or 7d, or a time, like 2026-01-31 or 2026-01-31T12:00:00Z",
		"%s can't be %q", flag, value)
}
