// Package changes asks the git program what changed: the paths of a working
// tree that differ from where its branch began, and the files of an earlier
// commit. It knows no lanes.
package changes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// waitDelay is how long git's output may stay open after git has ended.
const waitDelay = 2 * time.Second

// Error is a question that git can't answer as the repository stands, with
// what helps against it.
type Error struct {
	Message string
	Hint    string
}

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Since lists the paths that differ between the merge base of ref and HEAD,
// and the working tree of the repository that holds dir; untracked files that
// no ignore file names count too. The paths are relative to the root of the
// working tree, with slashes; a renamed file counts under both its names. A
// question that can't be answered is an *Error.
//
// env is the environment for git; what it says of a repository is left out,
// because a hook's environment names the repository that runs the hook.
func Since(ctx context.Context, env []string, dir, ref string) ([]string, error) {
	g := &git{ctx: ctx, env: environment(env), dir: dir}
	root, err := g.root()
	if err != nil {
		return nil, err
	}
	g.dir = root
	base, err := g.mergeBase(ref)
	if err != nil {
		return nil, err
	}
	// A diff with a commit compares the working tree; renames are kept apart,
	// so that each name stands for itself.
	tracked, err := g.paths("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-relative", base, "--")
	if err != nil {
		return nil, err
	}
	untracked, err := g.paths("ls-files", "-z", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	all := slices.Concat(tracked, untracked)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// git is the git program in one folder.
type git struct {
	ctx context.Context
	env []string
	dir string
	// stdin is what the next call reads; usually nothing.
	stdin []byte
}

// answer is what one call of git gave: an exit code that is not 0 is an answer
// too. The error is a git that could not be run.
type answer struct {
	out  []byte
	said string
	code int
}

func (g *git) ask(args ...string) (answer, error) {
	cmd := exec.CommandContext(g.ctx, "git", append([]string{"-C", g.dir}, args...)...)
	cmd.Env = g.env
	if g.stdin != nil {
		cmd.Stdin = bytes.NewReader(g.stdin)
	}
	// What git leaves running in the background may hold its output open.
	cmd.WaitDelay = waitDelay
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case g.ctx.Err() != nil:
		return answer{}, context.Cause(g.ctx)
	case errors.Is(err, exec.ErrNotFound):
		return answer{}, &Error{"git is not installed, and changed paths since a commit come from it",
			"install git, or give the paths with --changed-path"}
	case err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay):
		return answer{}, fmt.Errorf("run git %s: %w", args[0], err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
	return answer{out.Bytes(), strings.TrimPrefix(line, "fatal: "), cmd.ProcessState.ExitCode()}, nil
}

func (g *git) root() (string, error) {
	a, err := g.ask("rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	if a.code != 0 {
		return "", &Error{fmt.Sprintf("%s is not in the working tree of a git repository (git: %s)", g.dir, a.said),
			"give the paths with --changed-path"}
	}
	return strings.TrimSuffix(string(a.out), "\n"), nil
}

func (g *git) mergeBase(ref string) (string, error) {
	head, err := g.commit("HEAD")
	if err != nil {
		return "", err
	}
	if head == "" {
		return "", &Error{"the repository has no commit yet", "give the paths with --changed-path"}
	}
	theirs, err := g.commit(ref)
	if err != nil {
		return "", err
	}
	if theirs == "" {
		return "", &Error{fmt.Sprintf("git knows no commit %q", ref),
			"name a branch, tag or commit; one of a remote may have to be fetched first"}
	}
	return g.base(ref, theirs, "HEAD", head)
}

// base is the merge base of two commits, each with the name that it was given.
func (g *git) base(theirName, theirs, ourName, ours string) (string, error) {
	a, err := g.ask("merge-base", theirs, ours)
	switch {
	case err != nil:
		return "", err
	case a.code == 1:
		return "", &Error{fmt.Sprintf("%s and %s have no commit in common", theirName, ourName),
			"in a shallow clone, fetch more history: git fetch --unshallow"}
	case a.code != 0:
		return "", fmt.Errorf("git merge-base %s %s: %s", theirName, ourName, a.said)
	}
	return strings.TrimSuffix(string(a.out), "\n"), nil
}

// commit gives the id of the commit that a name stands for, or nothing where
// git knows none.
func (g *git) commit(name string) (string, error) {
	// A name that begins with a dash is not an option.
	a, err := g.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil || a.code != 0 {
		return "", err
	}
	return strings.TrimSuffix(string(a.out), "\n"), nil
}

func (g *git) paths(args ...string) ([]string, error) {
	a, err := g.ask(args...)
	if err != nil {
		return nil, err
	}
	if a.code != 0 {
		return nil, fmt.Errorf("git %s: %s", args[0], a.said)
	}
	var out []string
	for path := range strings.SplitSeq(string(a.out), "\x00") {
		// An untracked repository inside this one is a name with a slash.
		if path = strings.TrimSuffix(path, "/"); path != "" {
			out = append(out, path)
		}
	}
	return out, nil
}

// environment leaves out what points git at another repository than the one
// that holds the folder (git rev-parse --local-env-vars), and fixes the
// language and the locking.
func environment(env []string) []string {
	local := []string{
		"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE",
		"GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_NO_REPLACE_OBJECTS",
		"GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
	}
	out := slices.DeleteFunc(slices.Clone(env), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(local, name)
	})
	return append(out, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0")
}
