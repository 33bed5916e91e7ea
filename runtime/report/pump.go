package report

import (
	"maps"
	"slices"
	"sync"

	"github.com/sledtools/pikaci/runtime/event"
)

// Reader is told what happens, from one goroutine, in order. It may be slow.
type Reader interface {
	// Event takes an event. An error means that nobody reads any more:
	// nothing more is sent.
	Event(e event.Event) error
	// Output takes a chunk of a job's log, cut anywhere; p is only valid
	// until it returns.
	Output(job string, s event.Stream, p []byte) error
	// Missed says that n bytes of a job's log, between the chunks before and
	// after, were dropped because the reader was too slow.
	Missed(job string, s event.Stream, n int64) error
	// Close takes the end of everything.
	Close() error
}

// Pump stands between a run and a reader of it: it never blocks the run. Events
// wait for a slow reader as long as they must; of logs, whose files have it
// all, only maxWaiting bytes do, and the reader is told how much it missed.
type Pump struct {
	reader Reader
	mu     sync.Mutex
	wake   *sync.Cond
	queue  []item
	bytes  int
	missed map[log]int64
	// closed takes nothing more: Close was called, or the reader failed.
	closed bool
	done   chan struct{}
	err    error
}

// maxWaiting is how much of the logs may wait for the reader, in bytes.
const maxWaiting = 1 << 20

// item is an event, a chunk of a log, or how much of a log was missed.
type item struct {
	event  *event.Event
	log    log
	chunk  []byte
	missed int64
}

// NewPump starts the goroutine that feeds the reader. A nil reader is nobody:
// nothing is queued for it.
func NewPump(r Reader) *Pump {
	p := &Pump{reader: r, missed: make(map[log]int64), done: make(chan struct{})}
	p.wake = sync.NewCond(&p.mu)
	if r == nil {
		p.closed = true
		close(p.done)
		return p
	}
	go p.feed()
	return p
}

// Event queues an event. Before the end of a job, or of the run, the reader is
// told what it missed of the logs.
func (p *Pump) Event(e event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case e.JobFinished != nil:
		p.tellMissed(func(l log) bool { return l.job == e.JobFinished.Job })
	case e.RunFinished != nil:
		p.tellMissed(func(log) bool { return true })
	}
	p.push(item{event: &e})
}

// Output queues a copy of a chunk, or drops it where too much waits.
func (p *Pump) Output(job string, s event.Stream, chunk []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	l := log{job, s}
	if p.bytes > 0 && p.bytes+len(chunk) > maxWaiting {
		p.missed[l] += int64(len(chunk))
		return
	}
	p.tellMissed(func(other log) bool { return other == l })
	p.push(item{log: l, chunk: slices.Clone(chunk)})
}

// tellMissed queues what was missed of some logs.
func (p *Pump) tellMissed(which func(log) bool) {
	for _, l := range slices.SortedFunc(maps.Keys(p.missed), log.compare) {
		if which(l) {
			p.push(item{log: l, missed: p.missed[l]})
			delete(p.missed, l)
		}
	}
}

func (p *Pump) push(i item) {
	if p.closed {
		return
	}
	p.queue = append(p.queue, i)
	p.bytes += len(i.chunk)
	p.wake.Signal()
}

// Close feeds what is queued, closes the reader, and returns its first error.
func (p *Pump) Close() error {
	p.mu.Lock()
	p.tellMissed(func(log) bool { return true })
	p.closed = true
	p.wake.Signal()
	p.mu.Unlock()
	<-p.done
	return p.err
}

func (p *Pump) feed() {
	defer close(p.done)
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.closed {
			p.wake.Wait()
		}
		batch := p.queue
		p.queue = nil
		p.mu.Unlock()
		if len(batch) == 0 {
			break
		}
		for _, i := range batch {
			p.deliver(i)
		}
	}
	if err := p.reader.Close(); p.err == nil {
		p.err = err
	}
}

// deliver gives one item to the reader; after a reader's error, to nobody.
func (p *Pump) deliver(i item) {
	if p.err != nil {
		return
	}
	switch {
	case i.event != nil:
		p.err = p.reader.Event(*i.event)
	case i.missed > 0:
		p.err = p.reader.Missed(i.log.job, i.log.stream, i.missed)
	default:
		p.err = p.reader.Output(i.log.job, i.log.stream, i.chunk)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes -= len(i.chunk)
	if p.err != nil {
		p.closed, p.queue = true, nil
	}
}
