package changes

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Files are what CheckOut laid down of a commit.
type Files struct {
	// Root is the folder that stands for the root of the repository.
	Root string
	// Dir is the folder that was asked for; it is not there where the commit
	// has none.
	Dir string
}

// CheckOut lays the lane files of a commit, as a checkout would have them, into
// the folder into: what lies in dir, the module file with what is vendored
// there, and every CUE file of the repository, because a package takes in
// those of the folders above and imports others. The repository is the one
// that holds dir, or the nearest folder above that exists; nothing in it is
// touched.
//
// rev may also be A...B, which is the commit that the two have in common. The
// environment is treated as that of Since.
func CheckOut(ctx context.Context, env []string, dir, rev, into string) (*Files, error) {
	g := &git{ctx: ctx, env: environment(env), dir: dir}
	prefix, err := g.prefix()
	if err != nil {
		return nil, err
	}
	commit, err := g.revision(rev)
	if err != nil {
		return nil, err
	}
	// An index of our own: the user's says what they are about to commit.
	index := filepath.Join(into, "index")
	g.env = append(g.env, "GIT_INDEX_FILE="+index)
	if _, err := g.must(nil, "read-tree", commit); err != nil {
		return nil, err
	}
	wanted := []string{"ls-files", "--cached", "-z", "--", ":(glob)**/*.cue", "cue.mod", ":(glob)**/cue.mod/**"}
	if prefix != "" {
		wanted = append(wanted, ":(literal)"+prefix)
	} else {
		wanted = append(wanted, ".")
	}
	list, err := g.must(nil, wanted...)
	if err != nil {
		return nil, err
	}
	root := filepath.Join(into, "tree")
	if err := os.Mkdir(root, 0o755); err != nil {
		return nil, err
	}
	// The prefix is put before names as it stands: without the separator it
	// would be a part of them.
	if _, err := g.must(list, "checkout-index", "-z", "--stdin", "--prefix="+root+string(filepath.Separator)); err != nil {
		return nil, err
	}
	return &Files{Root: root, Dir: filepath.Join(root, filepath.FromSlash(prefix))}, nil
}

// prefix goes to the root of the repository, and gives the path from there to
// the folder that it was in, which need not exist.
func (g *git) prefix() (string, error) {
	named := g.dir
	there, err := filepath.Abs(named)
	if err != nil {
		return "", err
	}
	rest := ""
	for {
		if info, err := os.Stat(there); err == nil && info.IsDir() || there == filepath.Dir(there) {
			break
		}
		rest = path.Join(filepath.Base(there), rest)
		there = filepath.Dir(there)
	}
	g.dir = there
	a, err := g.ask("rev-parse", "--show-toplevel", "--show-prefix")
	switch {
	case err != nil:
		return "", err
	case a.code != 0:
		return "", &Error{fmt.Sprintf("%s is not in the working tree of a git repository (git: %s)", named, a.said),
			"two plan files can be compared anywhere: pikaci diff old.json new.json"}
	}
	root, prefix, _ := strings.Cut(string(a.out), "\n")
	g.dir = root
	return path.Join(strings.TrimSuffix(prefix, "\n"), rest), nil
}

// revision gives the id of a commit, or of that which two have in common.
func (g *git) revision(rev string) (string, error) {
	a, b, two := strings.Cut(rev, "...")
	if !two {
		return g.known(rev)
	}
	// As for git, a side that is left out is HEAD.
	a, b = cmp.Or(a, "HEAD"), cmp.Or(b, "HEAD")
	theirs, err := g.known(a)
	if err != nil {
		return "", err
	}
	ours, err := g.known(b)
	if err != nil {
		return "", err
	}
	return g.base(a, theirs, b, ours)
}

func (g *git) known(rev string) (string, error) {
	commit, err := g.commit(rev)
	if err == nil && commit == "" {
		return "", &Error{fmt.Sprintf("git knows no commit %q", rev),
			"name a branch, tag or commit, or a plan file that ends in .json"}
	}
	return commit, err
}

// must is ask for what only fails where something is broken.
func (g *git) must(stdin []byte, args ...string) ([]byte, error) {
	g.stdin = stdin
	a, err := g.ask(args...)
	g.stdin = nil
	if err == nil && a.code != 0 {
		err = fmt.Errorf("git %s: %s", args[0], a.said)
	}
	return a.out, err
}
