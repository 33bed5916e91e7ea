package main

import (
	"path/filepath"

	"github.com/spf13/pflag"

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
