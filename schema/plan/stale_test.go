package plan_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sledtools/pikaci/schema/plan"
)

func sum(content string) string {
	s := sha256.Sum256([]byte(content))
	return hex.EncodeToString(s[:])
}

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

func TestStale(t *testing.T) {
	p := &plan.Plan{Sources: []plan.Source{
		{Path: "cue.mod/module.cue", SHA256: sum("module")},
		{Path: "embedded:schema/lane.cue", SHA256: sum("schema")},
		{Path: "lanes/a.cue", SHA256: sum("a")},
		{Path: "lanes/b.cue", SHA256: sum("b")},
		{Path: "lanes/empty.cue", SHA256: sum("")},
	}}
	same := func() fstest.MapFS {
		return fstest.MapFS{"cue.mod/module.cue": file("module"), "lanes/a.cue": file("a"),
			"lanes/b.cue": file("b"), "lanes/empty.cue": file(""), "lanes/not-read.cue": file("x")}
	}
	for name, tt := range map[string]struct {
		change func(tree fstest.MapFS)
		want   []string
	}{
		"nothing":                 {func(fstest.MapFS) {}, nil},
		"one":                     {func(m fstest.MapFS) { m["lanes/b.cue"] = file("B") }, []string{"lanes/b.cue"}},
		"a newline more":          {func(m fstest.MapFS) { m["lanes/a.cue"] = file("a\n") }, []string{"lanes/a.cue"}},
		"not empty any more":      {func(m fstest.MapFS) { m["lanes/empty.cue"] = file("x") }, []string{"lanes/empty.cue"}},
		"emptied":                 {func(m fstest.MapFS) { m["lanes/a.cue"] = file("") }, []string{"lanes/a.cue"}},
		"two, in order":           {func(m fstest.MapFS) { m["lanes/b.cue"], m["cue.mod/module.cue"] = file(""), file("") }, []string{"cue.mod/module.cue", "lanes/b.cue"}},
		"one is not there":        {func(m fstest.MapFS) { delete(m, "lanes/a.cue") }, nil},
		"nothing is there":        {func(m fstest.MapFS) { clear(m) }, nil},
		"one that was not read":   {func(m fstest.MapFS) { m["lanes/not-read.cue"] = file("y") }, nil},
		"one named like embedded": {func(m fstest.MapFS) { m["embedded:schema/lane.cue"] = file("y") }, nil},
	} {
		tree := same()
		tt.change(tree)
		if got, err := p.Stale(tree); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

// TestStaleStaysInTheTree: a path that leads out is not opened.
func TestStaleStaysInTheTree(t *testing.T) {
	p := &plan.Plan{}
	for _, path := range []string{"../a", "/etc/passwd", "a/../../b", "", "a//b", "./a"} {
		p.Sources = append(p.Sources, plan.Source{Path: path, SHA256: sum("")})
	}
	if got, err := p.Stale(noFS{t}); err != nil || got != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

type noFS struct{ t *testing.T }

func (n noFS) Open(name string) (fs.File, error) {
	n.t.Errorf("opened %q", name)
	return nil, fs.ErrNotExist
}

func TestStaleOfWhatCantBeRead(t *testing.T) {
	p := &plan.Plan{Sources: []plan.Source{{Path: "lanes/a.cue", SHA256: sum("a")}}}
	denied := deniedFS{fs.ErrPermission}
	if _, err := p.Stale(denied); !errors.Is(err, fs.ErrPermission) || !strings.HasPrefix(err.Error(), "compare source lanes/a.cue: ") {
		t.Errorf("got %v", err)
	}
	folder := fstest.MapFS{"lanes/a.cue/b": file("")}
	if _, err := p.Stale(folder); err == nil || !strings.Contains(err.Error(), "compare source lanes/a.cue: not a regular file") {
		t.Errorf("got %v", err)
	}
	pipe := fstest.MapFS{"lanes/a.cue": {Mode: fs.ModeNamedPipe}}
	if _, err := p.Stale(pipe); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
}

type deniedFS struct{ err error }

func (d deniedFS) Open(string) (fs.File, error) { return nil, d.err }
