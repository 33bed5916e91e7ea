package manylanes_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sledtools/pikaci/compiler"
	"github.com/sledtools/pikaci/internal/manylanes"
	"github.com/sledtools/pikaci/schema/plan"
)

// TestSameLanes compiles both shapes: the lanes are valid, and in how many
// files they lie changes nothing of the plan.
func TestSameLanes(t *testing.T) {
	const lanes = 12
	each, one := compiled(t, manylanes.FileEach, lanes), compiled(t, manylanes.OneFile, lanes)
	if each.Digest != one.Digest {
		t.Errorf("the shapes give plans of different digests: %s and %s", each.Digest, one.Digest)
	}
	// Every tenth lane is a nightly one; each has two builds, three instances
	// and three commands.
	if chosen := lanes - 1; len(each.Lanes) != lanes || len(each.Jobs) != 3*chosen || len(each.Nodes) != 8*chosen {
		t.Errorf("%d lanes, %d jobs, %d nodes", len(each.Lanes), len(each.Jobs), len(each.Nodes))
	}
}

func compiled(t *testing.T, shape manylanes.Shape, n int) *plan.Plan {
	t.Helper()
	files, err := manylanes.Package(shape, n)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for name, content := range files {
		at := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	catalogue, err := compiler.Load(filepath.Join(root, "lanes"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := catalogue.Compile(compiler.Select{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
