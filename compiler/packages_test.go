package compiler

import (
	"os"
	"path/filepath"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/load"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestPackagesAsStock reads every package that compiles with this package's
// loader and with CUE's own: the values are the same.
func TestPackagesAsStock(t *testing.T) {
	t.Run("lanes", func(t *testing.T) { sameAsStock(t, "../lanes") })
	each(t, "testdata/plans/*.txtar", "want", func(t *testing.T, a *txtar.Archive) []byte {
		if _, err := os.Stat("cue.mod"); err == nil {
			sameAsStock(t, "lanes")
		}
		return want(a)
	})
}

func want(a *txtar.Archive) []byte {
	for _, f := range a.Files {
		if f.Name == "want" {
			return f.Data
		}
	}
	return nil
}

func sameAsStock(t *testing.T, dir string) {
	t.Helper()
	s, err := openSource(dir)
	if err != nil {
		t.Fatal(err)
	}
	inst, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	mine := jsonOf(t, cuecontext.New().BuildInstance(inst))

	overlay := map[string]load.Source{}
	for name, content := range s.tree.over {
		overlay[filepath.Join(s.tree.root, name)] = load.FromBytes(content)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	stock := load.Instances([]string{"."}, &load.Config{Dir: abs, Overlay: overlay, Env: []string{"CUE_REGISTRY=none"}})[0]
	if stock.Err != nil {
		t.Fatal(stock.Err)
	}
	if want := jsonOf(t, cuecontext.New().BuildInstance(stock)); mine != want {
		t.Errorf("got  %s\nwant %s", mine, want)
	}
}

func jsonOf(t *testing.T, v cue.Value) string {
	t.Helper()
	b, err := v.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
