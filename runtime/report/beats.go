package report

import (
	"sync"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// beatEvery is the time between two heartbeats.
const beatEvery = 30 * time.Second

// Beats gives a reader a heartbeat from time to time, between what it is told.
type Beats struct {
	mu    sync.Mutex
	to    Reader
	board *Board
	err   error
	stop  chan struct{}
	done  chan struct{}
}

// NewBeats stands before a reader.
func NewBeats(to Reader, b *Board) *Beats {
	s := &Beats{to: to, board: b, stop: make(chan struct{}), done: make(chan struct{})}
	go s.beat()
	return s
}

func (b *Beats) beat() {
	defer close(b.done)
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			b.call(func() error {
				h := b.board.Heartbeat(now)
				return b.to.Event(event.Event{Time: now.UTC(), Heartbeat: &h})
			})
		case <-b.stop:
			return
		}
	}
}

// call calls the reader, alone, unless it failed.
func (b *Beats) call(f func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = f()
	}
	return b.err
}

// Event passes an event on.
func (b *Beats) Event(e event.Event) error {
	return b.call(func() error { b.board.Add(e); return b.to.Event(e) })
}

// Output passes a chunk on.
func (b *Beats) Output(job string, s event.Stream, p []byte) error {
	return b.call(func() error { return b.to.Output(job, s, p) })
}

// Missed passes it on.
func (b *Beats) Missed(job string, s event.Stream, n int64) error {
	return b.call(func() error { return b.to.Missed(job, s, n) })
}

// Close ends the heartbeats and closes the reader.
func (b *Beats) Close() error {
	close(b.stop)
	<-b.done
	return b.to.Close()
}
