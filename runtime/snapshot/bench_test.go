package snapshot_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/sledtools/pikaci/runtime/snapshot"
)

// BenchmarkTake copies 5,000 files of 60 MB in 250 folders, shaped as a
// repository of sources is: many small files, a few large ones.
func BenchmarkTake(b *testing.B) {
	source := b.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	var total int64
	for i := range 5000 {
		dir := filepath.Join(source, fmt.Sprintf("crates/c%02d/src/m%d", i%50, i%5))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		size := 500 + random.IntN(16_000)
		if i%100 == 0 {
			size = 400_000
		}
		content := make([]byte, size)
		for j := range content {
			content[j] = byte(random.Uint32())
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%d.rs", i)), content, 0o644); err != nil {
			b.Fatal(err)
		}
		total += int64(size)
	}
	b.SetBytes(total)
	b.ReportAllocs()
	// Copies are removed at the end only: ext4 is slow to make files where
	// many were just removed, which is not what is measured here.
	targets := b.TempDir()
	for i := 0; b.Loop(); i++ {
		target := filepath.Join(targets, fmt.Sprint(i))
		r, err := snapshot.Take(b.Context(), source, target, snapshot.Filter{})
		if err != nil || r.Files != 5000 {
			b.Fatal(r, err)
		}
	}
}
