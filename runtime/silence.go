package runtime

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// silence watches that a job's command says something now and then. It listens
// from when the command's phase starts until it finishes: readying an instance
// and bringing artifacts back is quiet.
type silence struct {
	limit time.Duration
	mu    sync.Mutex
	timer *time.Timer
}

// listen gives a context that ends when the command was silent for too long,
// and an Emit that the silence learns the command's start and end from.
func (s *silence) listen(ctx context.Context, emit func(event.Event) error) (context.Context, func(event.Event) error, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	over := func() { cancel(&LimitError{"no output for", s.limit}) }
	heed := func(e event.Event) error {
		switch {
		case e.PhaseStarted != nil && e.PhaseStarted.Phase == event.Command:
			s.set(time.AfterFunc(s.limit, over))
		case e.PhaseFinished != nil && e.PhaseFinished.Phase == event.Command:
			s.set(nil)
		}
		return emit(e)
	}
	return ctx, heed, func() { s.set(nil); cancel(nil) }
}

// set replaces the timer that runs.
func (s *silence) set(t *time.Timer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = t
}

// heard starts the time anew.
func (s *silence) heard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Reset(s.limit)
	}
}

// listened is a log that tells a silence when something is written to it.
type listened struct {
	io.Writer
	silence *silence
}

func (l listened) Write(p []byte) (int, error) {
	l.silence.heard()
	return l.Writer.Write(p)
}

func (l listened) Mark() int64        { return mark(l.Writer) }
func (l listened) Unshown() io.Writer { return listened{Unshown(l.Writer), l.silence} }
