package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clipperhouse/displaywidth"

	"github.com/sledtools/pikaci/runtime/event"
)

// frameEvery is the time between two frames, at least.
const frameEvery = 100 * time.Millisecond

// What the terminal is told; beginFrame and endFrame (synchronized output) keep
// one from showing half a frame, and are passed over by those that don't know it.
// eraseBelow takes this line first and the rest from its second column on: an
// erasing of all of the screen makes tmux keep what stood there.
const (
	beginFrame = "\x1b[?2026h"
	endFrame   = "\x1b[?2026l"
	cursorUp   = "\x1b[%dA"
	eraseBelow = "\r\x1b[K\x1b[C\x1b[J\r"
)

// lastLines is how many lines of its logs are shown of a job that failed.
const lastLines = 20

// Live shows a run on a terminal: what goes on in the rows at the bottom, drawn
// again in place, and what is over in lines above, which scroll away as all
// others do. It sets no mode of the terminal that would have to be set back, so
// that one is clean whatever ends the process.
type Live struct {
	w     io.Writer
	paint Paint
	size  func() (columns, rows int)
	now   func() time.Time

	mu    sync.Mutex
	err   error
	board *Board
	human *Human
	above bytes.Buffer // to be written above the region
	lines lines
	last  map[string][]string // the last lines of each job's logs
	shown []string
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once
}

// NewLive draws to w, whose size is asked for before each frame.
func NewLive(w io.Writer, p Paint, b *Board, size func() (columns, rows int)) *Live {
	l := newLive(w, p, b, size, time.Now)
	go l.draw()
	return l
}

func newLive(w io.Writer, p Paint, b *Board, size func() (columns, rows int), now func() time.Time) *Live {
	l := &Live{w: w, paint: p, size: size, now: now, board: b, last: map[string][]string{}, stop: make(chan struct{}), done: make(chan struct{})}
	l.human = NewHuman(&l.above, p)
	l.lines = lines{open: map[log][]byte{}, each: l.logLine, colour: bool(p)}
	return l
}

// draw draws where something changed, the clock included.
func (l *Live) draw() {
	defer close(l.done)
	tick := time.NewTicker(frameEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.mu.Lock()
			l.frame()
			l.mu.Unlock()
		case <-l.stop:
			return
		}
	}
}

// frame writes one frame, at once; nothing where the one before says the same.
func (l *Live) frame() {
	columns, rows := l.size()
	lines := l.board.Frame(l.now(), columns, rows)
	if l.above.Len() > 0 || !slices.Equal(lines, l.shown) {
		l.write(lines, columns)
	}
}

func (l *Live) write(lines []string, columns int) {
	var b strings.Builder
	b.WriteString(beginFrame)
	if up := rowsTaken(l.shown, columns); up > 0 {
		fmt.Fprintf(&b, cursorUp, up)
	}
	b.WriteString(eraseBelow)
	b.Write(l.above.Bytes())
	for _, line := range lines {
		b.WriteString(l.paint.region(line) + "\n")
	}
	b.WriteString(endFrame)
	l.above.Reset()
	l.shown = lines
	if l.err == nil {
		_, l.err = io.WriteString(l.w, b.String())
	}
}

// rowsTaken is how many rows lines take that were drawn when the terminal was
// wider, perhaps: it wraps them again.
func rowsTaken(lines []string, columns int) int {
	rows := 0
	for _, line := range lines {
		rows++
		if wide := displaywidth.String(line); columns > 0 && wide > 0 {
			rows += (wide - 1) / columns
		}
	}
	return rows
}

// Event folds the event; what is over by it becomes a line above.
func (l *Live) Event(e event.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.lines.flushAt(e); err != nil {
		return err
	}
	l.board.Add(e)
	if e.PhaseStarted == nil && e.GroupWaited == nil && e.CacheWaited == nil && e.Heartbeat == nil {
		l.human.Event(e) // to memory
	}
	if f := e.JobFinished; f != nil {
		if f.Verdict == event.Failed {
			for _, line := range l.last[f.Job] {
				l.human.print(line)
			}
		}
		delete(l.last, f.Job)
	}
	return l.err
}

func (l *Live) logLine(job string, s event.Stream, line string) error {
	kept := l.last[job]
	if len(kept) == lastLines {
		kept = slices.Delete(kept, 0, 1)
	}
	l.last[job] = append(kept, "  "+bar(s)+" "+line)
	return nil
}

// Output keeps the last lines of a log.
func (l *Live) Output(job string, s event.Stream, p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines.write(job, s, p)
	return l.err
}

// Missed says in the log's place how much of it is not shown.
func (l *Live) Missed(job string, s event.Stream, n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines.flush(func(k log) bool { return k == log{job, s} })
	l.logLine(job, s, fmt.Sprintf("… %s not shown, see %s.log", size(n), s))
	return l.err
}

// Close takes the region away.
func (l *Live) Close() error {
	l.once.Do(func() { close(l.stop) })
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	columns, _ := l.size()
	l.lines.flush(everyLog)
	l.write(nil, columns)
	return l.err
}
