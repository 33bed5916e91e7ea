package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/schema/plan"
	hostfile "github.com/sledtools/pikaci/schema/runner"
)

// readPlan reads and checks a plan file, or stdin where name is "-".
func readPlan(name string, stdin io.Reader) (*plan.Plan, error) {
	p, _, err := readPlanText(name, stdin)
	return p, err
}

// readPlanText is readPlan, and gives the text too.
func readPlanText(name string, stdin io.Reader) (*plan.Plan, []byte, error) {
	from := stdin
	shown := "stdin"
	if name != "-" {
		f, err := os.Open(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, nil, invalid("write one with: pikaci compile -o "+name, "%s: no such plan file", name)
		case err != nil:
			return nil, nil, invalid("", "read the plan %s: %v", name, bare(err))
		}
		defer f.Close()
		from, shown = f, name
	}
	b, err := io.ReadAll(io.LimitReader(from, plan.MaxSize+1))
	if err != nil {
		return nil, nil, invalid("", "read the plan %s: %v", shown, bare(err))
	}
	p, err := plan.Decode(b)
	if err != nil {
		return nil, nil, planError(shown, err)
	}
	return p, b, nil
}

// planError gives what is wrong with a plan its place and the way out.
func planError(name string, err error) error {
	const again = "write it again with: pikaci compile"
	var syntax *plan.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return invalid(again, "%s:%d:%d: %s", name, syntax.Line, syntax.Column, syntax.Problem)
	case errors.Is(err, plan.ErrVersion):
		return invalid("compile it again with this pikaci, or use the pikaci that wrote it", "%s: %v", name, err)
	case errors.Is(err, plan.ErrDigest):
		return invalid("edit the lane files, not the plan, and "+again, "%s: %v", name, err)
	}
	return invalid(again, "%s: %v", name, err)
}

// maxStale is how many changed sources an error names.
const maxStale = 5

// refuseStale holds the plan against the lane files in the source tree. They
// are looked for where compile would read them: in the lanes' folder, as paths
// from the root of its CUE module. A runner may have none of them.
func refuseStale(p *plan.Plan, source, lanes string) error {
	if info, err := os.Stat(source); err != nil || !info.IsDir() {
		if err == nil {
			err = syscall.ENOTDIR
		}
		return usage("", "--source %s: %v", source, bare(err))
	}
	if !filepath.IsAbs(lanes) {
		lanes = filepath.Join(source, lanes)
	}
	root, ok := compiler.ModuleRoot(lanes)
	if !ok {
		root = lanes
	}
	stale, err := p.Stale(os.DirFS(root))
	if err != nil {
		return invalid("", "%v", err)
	}
	if len(stale) == 0 {
		return nil
	}
	for i, name := range stale {
		if rel, err := filepath.Rel(source, filepath.Join(root, name)); err == nil {
			stale[i] = rel
		}
	}
	names := strings.Join(stale[:min(len(stale), maxStale)], ", ")
	if len(stale) > maxStale {
		names += fmt.Sprintf(" and %d more", len(stale)-maxStale)
	}
	return invalid("compile it again with: pikaci compile; lane files that lie elsewhere are named with --lanes",
		"stale plan: changed since it was compiled: %s", names)
}

// readRunner reads the runner file: the named one, which must be there, or the
// usual one, which need not.
func readRunner(name string) (*hostfile.File, error) {
	if name == "" {
		if _, err := os.Stat(hostfile.DefaultPath); err != nil {
			return &hostfile.File{SchemaVersion: hostfile.Version}, nil
		}
		name = hostfile.DefaultPath
	}
	f, err := hostfile.Read(name)
	if err != nil {
		return nil, invalid("docs/running.md lists the fields of the runner file", "%v", err)
	}
	return f, nil
}
