package main

import (
	"crypto/rand"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
)

// board is what readers of the run show of what goes on.
func (x *execution) board() *report.Board {
	return report.NewBoard(x.plan, record.ReadDurations(x.stateRoot))
}

// liveSize gives the size of the terminal that a run can be drawn on; nil where
// lines are the better choice.
func liveSize(s *session) func() (columns, rows int) {
	w := s.stderr
	if kept, ok := w.(*output); ok {
		w = kept.w
	}
	f, ok := w.(*os.File)
	if term, _ := s.lookupEnv("TERM"); !ok || term == "" || term == "dumb" {
		return nil
	}
	if ci, _ := s.lookupEnv("CI"); ci != "" && ci != "false" {
		return nil
	}
	size := func() (int, int) { return s.sizeOf(f) }
	if columns, rows := size(); columns == 0 || rows == 0 {
		return nil
	}
	return size
}

// sizeOf is a terminal's size, that of COLUMNS and LINES where it knows none, as
// a serial one; 0 where there is neither, or no terminal.
func (s *session) sizeOf(f *os.File) (columns, rows int) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0
	}
	columns, rows = int(size.Col), int(size.Row)
	if columns == 0 || rows == 0 {
		columns, rows = s.number("COLUMNS"), s.number("LINES")
	}
	return columns, rows
}

// number is the value of an environment variable; 0 where it is none.
func (s *session) number(name string) int {
	text, _ := s.lookupEnv(name)
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > math.MaxInt16 {
		return 0
	}
	return n
}

// foldingCIs set one of these to true; all of them take the workflow commands of
// the first.
var foldingCIs = []string{"GITHUB_ACTIONS", "FORGEJO_ACTIONS", "GITEA_ACTIONS"}

// linesFor shows a run line by line, with logs folded where the CI can.
func linesFor(s *session) report.Reader {
	for _, name := range foldingCIs {
		if v, _ := s.lookupEnv(name); v == "true" {
			return report.NewFolded(s.stderr, rand.Text(), s.paint(s.stderr))
		}
	}
	return report.NewHuman(s.stderr, s.paint(s.stderr))
}
