package report

import (
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
	missed map[string]int64
	closed bool
	done   chan struct{}
	err    error
}

// maxWaiting is how much of the logs may wait for the reader, in bytes.
const maxWaiting = 1 << 20

// item is an event, or a chunk of a log.
type item struct {
	event  *event.Event
	job    string
	stream event.Stream
	chunk  []byte
}

// NewPump starts the goroutine that feeds the reader.
func NewPump(r Reader) *Pump {
	p := &Pump{reader: r, missed: make(map[string]int64), done: make(chan struct{})}
	p.wake = sync.NewCond(&p.mu)
	go p.feed()
	return p
}

// Event queues an event.
func (p *Pump) Event(e event.Event) {
	p.push(item{event: &e})
}

// Output queues a copy of a chunk, or drops it where too much waits.
func (p *Pump) Output(job string, s event.Stream, chunk []byte) {
	p.mu.Lock()
	full := p.bytes+len(chunk) > maxWaiting
	if full {
		p.missed[job] += int64(len(chunk))
	}
	p.mu.Unlock()
	if !full {
		p.push(item{job: job, stream: s, chunk: append([]byte(nil), chunk...)})
	}
}

// Missed is how many bytes of a job's logs were not shown.
func (p *Pump) Missed(job string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.missed[job]
}

func (p *Pump) push(i item) {
	p.mu.Lock()
	defer p.mu.Unlock()
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
	if p.err == nil {
		if i.event != nil {
			p.err = p.reader.Event(*i.event)
		} else {
			p.err = p.reader.Output(i.job, i.stream, i.chunk)
		}
	}
	p.mu.Lock()
	p.bytes -= len(i.chunk)
	p.mu.Unlock()
}
