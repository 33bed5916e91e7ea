package record

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// timesFile says beside a job's logs when what was written to them: a line is
// a time (Unix, in milliseconds), a stream, and the place in its log, in
// bytes, where what came at that time begins. So the logs themselves are just
// what was printed, and can still be read in the order of their lines.
const timesFile = "log.times"

// How often a mark is made: at the latest so long after the last one, and on
// each change of stream, as long as that is not too often.
const (
	markEvery = 100 * time.Millisecond
	markBurst = 1000
	markRate  = 100 // a second
)

// times writes the marks of one job's logs. It never fails its writer: without
// marks, logs are read one after the other.
type times struct {
	mu     sync.Mutex
	name   string
	file   *os.File // nil until there is a mark
	over   bool
	now    func() time.Time
	stream event.Stream
	last   time.Time
	// credit is how many marks may be made at once.
	credit float64
	marked map[event.Stream]bool
}

func newTimes(name string) *times {
	return &times{name: name, now: time.Now, credit: markBurst, marked: make(map[event.Stream]bool)}
}

// mark says that the stream's bytes from offset on come now.
func (t *times) mark(s event.Stream, offset int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if t.over || !t.due(s, now) {
		return
	}
	if t.file == nil {
		f, err := os.OpenFile(t.name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			t.over = true
			return
		}
		t.file = f
	}
	t.credit = min(markBurst, t.credit+now.Sub(t.last).Seconds()*markRate) - 1
	t.stream, t.last, t.marked[s] = s, now, true
	if _, err := fmt.Fprintf(t.file, "%d %s %d\n", now.UnixMilli(), s, offset); err != nil {
		t.over = true
	}
}

func (t *times) due(s event.Stream, now time.Time) bool {
	waited := now.Sub(t.last)
	switch {
	case !t.marked[s], waited >= markEvery:
		return true
	case s == t.stream:
		return false
	}
	return t.credit+waited.Seconds()*markRate >= 1
}

func (t *times) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	if t.file != nil {
		t.file.Close()
		t.file = nil
	}
}

// logMark is one line of log.times.
type logMark struct {
	at     time.Time
	stream event.Stream
	offset int64
}

// parseMark reads a line of log.times; false where it is none.
func parseMark(line string) (logMark, bool) {
	words := strings.Fields(line)
	if len(words) != 3 {
		return logMark{}, false
	}
	ms, err := strconv.ParseInt(words[0], 10, 64)
	offset, err2 := strconv.ParseInt(words[2], 10, 64)
	if err != nil || err2 != nil || offset < 0 {
		return logMark{}, false
	}
	return logMark{time.UnixMilli(ms).UTC(), event.Stream(words[1]), offset}, true
}
