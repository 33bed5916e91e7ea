package report_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/report"
)

// fake is a reader that can be held up, and fail.
type fake struct {
	gate   chan struct{} // closed: go on
	failAt int           // the call that fails, from 1; 0: none
	mu     sync.Mutex
	calls  int
	got    []string
	where  map[string]uint64 // how far each log was read or missed
	closed int
}

func newFake() *fake {
	f := &fake{gate: make(chan struct{}), where: map[string]uint64{}}
	return f
}

func (f *fake) call(what string) error {
	<-f.gate
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.got = append(f.got, what)
	if f.calls == f.failAt {
		return errors.New("gone")
	}
	return nil
}

func (f *fake) Event(e event.Event) error { return f.call(fmt.Sprint("event ", e.Seq)) }

// Output takes chunks that begin with their place in the log.
func (f *fake) Output(job string, s event.Stream, p []byte) error {
	key := job + string(s)
	if at := binary.BigEndian.Uint64(p); at != f.where[key] {
		return fmt.Errorf("chunk of %s is from %d, want %d", key, at, f.where[key])
	}
	f.where[key] += uint64(len(p))
	return f.call(fmt.Sprint("output ", job, " ", s))
}

func (f *fake) Missed(job string, s event.Stream, n int64) error {
	f.where[job+string(s)] += uint64(n)
	return f.call(fmt.Sprint("missed ", job, " ", s, " ", n))
}

func (f *fake) Close() error { f.closed++; return nil }

// writer writes one log in chunks that say their place.
type writer struct {
	pump *report.Pump
	job  string
	s    event.Stream
	at   uint64
}

func (w *writer) write(size int) {
	chunk := make([]byte, size)
	binary.BigEndian.PutUint64(chunk, w.at)
	w.pump.Output(w.job, w.s, chunk)
	clear(chunk) // it is the caller's again
	w.at += uint64(size)
}

// TestPumpNeverBlocks: a reader that stands still blocks nobody, gets all
// events in order, and is told of the rest.
func TestPumpNeverBlocks(t *testing.T) {
	f := newFake()
	p := report.NewPump(f)
	a, b := &writer{p, "a", event.Stdout, 0}, &writer{p, "b", event.Stderr, 0}
	for i := range 5000 {
		p.Event(event.Event{Seq: int64(i + 1)})
		a.write(1000)
		if i%10 == 0 {
			b.write(100)
		}
	}
	p.Event(event.Event{Seq: 5001, JobFinished: &event.JobFinished{Job: "a"}})
	p.Event(event.Event{Seq: 5002, RunFinished: &event.RunFinished{}})
	close(f.gate)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if f.where["astdout"] != a.at || f.where["bstderr"] != b.at || f.closed != 1 {
		t.Errorf("read %v, want %d and %d; closed %d times", f.where, a.at, b.at, f.closed)
	}
	var events, missed []string
	kept := 0
	for _, g := range f.got {
		switch {
		case strings.HasPrefix(g, "event"):
			events = append(events, strings.TrimPrefix(g, "event "))
		case strings.HasPrefix(g, "missed"):
			missed = append(missed, g)
		case g == "output a stdout":
			kept += 1000
		}
	}
	for i, e := range events {
		if e != fmt.Sprint(i+1) {
			t.Fatalf("event %s came as %d", e, i+1)
		}
	}
	if len(events) != 5002 || kept < 900_000 || kept > 1<<20 || len(missed) != 2 {
		t.Errorf("%d events, %d bytes kept, told: %q", len(events), kept, missed)
	}
	// Each is told right before the end that it belongs to.
	end := f.got[len(f.got)-4:]
	if want := []string{missed[0], "event 5001", missed[1], "event 5002"}; !slices.Equal(end, want) {
		t.Errorf("ends with %q, want %q", end, want)
	}
}

// TestPumpTellsWhereItIsMissed: once the reader is quick again, the gap is told
// of before what follows it.
func TestPumpTellsWhereItIsMissed(t *testing.T) {
	f := newFake()
	p := report.NewPump(f)
	w := &writer{p, "a", event.Stdout, 0}
	for range 40 {
		w.write(64 << 10)
	}
	close(f.gate)
	for caught := false; !caught; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		caught = len(f.got) >= 16
		f.mu.Unlock()
	}
	w.write(1000)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if f.where["astdout"] != w.at {
		t.Errorf("read %d of %d", f.where["astdout"], w.at)
	}
	end := f.got[len(f.got)-2:]
	if want := []string{fmt.Sprint("missed a stdout ", 24*64<<10), "output a stdout"}; !slices.Equal(end, want) {
		t.Errorf("ends with %q, want %q", end, want)
	}
}

func TestPumpOfAReaderThatFails(t *testing.T) {
	f := newFake()
	f.failAt = 3
	p := report.NewPump(f)
	for i := range 100 {
		p.Event(event.Event{Seq: int64(i + 1)})
	}
	close(f.gate)
	if err := p.Close(); err == nil || err.Error() != "gone" {
		t.Errorf("got %v", err)
	}
	if f.calls != 3 || f.closed != 1 {
		t.Errorf("%d calls, closed %d times", f.calls, f.closed)
	}
	p.Event(event.Event{})
	p.Output("a", event.Stdout, []byte("x"))
	if err := p.Close(); err == nil || f.calls != 3 || f.closed != 1 {
		t.Errorf("after the end: %v, %d calls, closed %d times", err, f.calls, f.closed)
	}
}

func TestPumpTakesAChunkOfAnySize(t *testing.T) {
	f := newFake()
	close(f.gate)
	p := report.NewPump(f)
	w := &writer{p, "a", event.Stdout, 0}
	w.write(5 << 20)
	if err := p.Close(); err != nil || len(f.got) != 1 || f.where["astdout"] != w.at {
		t.Errorf("got %q, %v", f.got, err)
	}
}

func TestPumpOfManyWriters(t *testing.T) {
	f := newFake()
	close(f.gate)
	p := report.NewPump(f)
	var all sync.WaitGroup
	var writers []*writer
	for i := range 10 {
		w := &writer{p, fmt.Sprint(i), event.Stdout, 0}
		writers = append(writers, w)
		all.Go(func() {
			for n := range 500 {
				w.write(8 + n)
			}
			p.Event(event.Event{JobFinished: &event.JobFinished{Job: w.job}})
		})
	}
	all.Wait()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for _, w := range writers {
		if f.where[w.job+"stdout"] != w.at {
			t.Errorf("job %s: read %d of %d", w.job, f.where[w.job+"stdout"], w.at)
		}
	}
}

func BenchmarkHuman(b *testing.B) {
	h := report.NewHuman(discard{}, false)
	chunk := []byte(strings.Repeat("a line of a log that says nothing of interest to anyone\n", 500))
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		if err := h.Output("j", event.Stdout, chunk); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
