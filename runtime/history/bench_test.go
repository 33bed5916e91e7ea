package history_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/history"
	"github.com/sledtools/pikaci/runtime/record"
)

// writeRuns makes recorded runs to measure with:
// go test ./runtime/history -run TestWriteRuns -runs 20000 -into DIR.
var (
	writeRuns = flag.Int("runs", 0, "how many run directories TestWriteRuns makes")
	into      = flag.String("into", "", "the state root where it makes them")
	named     = flag.Bool("named", false, "give them ids that do not sort by time")
)

func TestWriteRuns(t *testing.T) {
	if *writeRuns == 0 {
		t.Skip("writes runs for who asks: go test -run WriteRuns ./runtime/history -args -runs 20000 -into DIR")
	}
	makeRuns(t, *into, *writeRuns, *named)
}

// makeRuns makes runs of ten lanes, every tenth of which failed and every
// fiftieth was killed.
func makeRuns(t testing.TB, root string, n int, named bool) {
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		m := made{began: first.Add(time.Duration(i) * 10 * time.Minute), jobs: 10, lanes: []string{fmt.Sprintf("lane-%d", i%10), "lint"}}
		m.id = record.NewID(m.began)
		if named {
			m.id = fmt.Sprintf("ci-%06d", i)
		}
		if i%10 == 0 {
			m.verdict = event.Failed
		}
		m.cut = i%50 == 49
		if i == 3 {
			m.lanes = append(m.lanes, "rare")
		}
		write(t, root, m)
	}
}

// BenchmarkRuns is what pikaci runs does over 2,000 runs, a tenth of what a
// busy runner has: the newest, all, and a lane that ran once, long ago.
func BenchmarkRuns(b *testing.B) {
	root := b.TempDir()
	makeRuns(b, root, 2000, false)
	for range openRuns(b, root).All() { // writes the index
	}
	for name, enough := range map[string]func(*history.Summary, int) bool{
		"newest": func(_ *history.Summary, n int) bool { return n == 20 },
		"all":    func(*history.Summary, int) bool { return false },
		"rare":   func(s *history.Summary, _ int) bool { _, has := s.Lane("rare"); return has },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				n := 0
				for s := range openRuns(b, root).All() {
					if n++; enough(&s, n) {
						break
					}
				}
			}
		})
	}
	os.RemoveAll(root)
}
