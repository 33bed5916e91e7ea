package main

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/runtime/record"
	hostfile "github.com/sledtools/pikaci/schema/runner"
)

// places are the flags that say where runs are recorded; exec finds its state
// root by the same rule.
type places struct {
	source, stateRoot, runnerFile string
}

func (p *places) register(s *pflag.FlagSet) {
	s.StringVar(&p.stateRoot, "state-root", "", "`DIR` where run records are (default PIKACI_STATE_ROOT, else .pikaci in the source)")
	s.StringVar(&p.source, "source", ".", "`DIR` source tree that the runs are of (default .)")
	s.StringVar(&p.runnerFile, "runner", "", "`FILE` what this host decides (default "+hostfile.DefaultPath+", if there)")
}

// find reads the runner file and works out the state root, absolute.
func (p *places) find(s *session) (root string, runner *hostfile.File, err error) {
	if runner, err = readRunner(p.runnerFile); err != nil {
		return "", nil, err
	}
	source, err := filepath.Abs(p.source)
	if err != nil {
		return "", nil, usage("", "--source: %v", err)
	}
	root, err = stateRootOf(p.stateRoot, s.lookupEnv, runner, source)
	return root, runner, err
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

// findRun finds the run that a person names.
func findRun(stateRoot, name string) (*record.Dir, error) {
	d, err := record.Find(stateRoot, name)
	var missing *record.NotFoundError
	if !errors.As(err, &missing) {
		return d, err
	}
	hint := "name the state root with --state-root, or the source tree with --source"
	if len(missing.Matches) > 0 {
		hint = "one of: " + strings.Join(missing.Matches, ", ")
	}
	return nil, usage(hint, "%v", err)
}
