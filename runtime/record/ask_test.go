package record_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

func TestAskToCancel(t *testing.T) {
	d := create(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := d.AskToCancel(ctx); !errors.Is(err, record.ErrDead) {
		t.Errorf("a run that nobody owns: %v", err)
	}
	// A dead owner's pipe is in nobody's way.
	l, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Asked(); err != nil {
		t.Fatal(err)
	}
	asker := make(chan error)
	go func() { asker <- d.AskToCancel(ctx) }()
	asked, stop, err := l.Asked()
	if err != nil {
		t.Fatal(err)
	}
	// The first asker may have reached the pipe before.
	if err := <-asker; err != nil {
		t.Error(err)
	}
	for range 3 { // asking again changes nothing
		if err := d.AskToCancel(ctx); err != nil {
			t.Error(err)
		}
	}
	select {
	case <-asked:
	case <-ctx.Done():
		t.Fatal("not asked")
	}
	j, _ := open(t, d)
	if err := j.Append(event.Event{RunFinished: &event.RunFinished{}}, event.Later); err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		stop()
		l.Release()
	}()
	if err := d.AwaitEnd(ctx); err != nil {
		t.Errorf("its end: %v", err)
	}
	if err := d.AskToCancel(ctx); !errors.Is(err, record.ErrEnded) {
		t.Errorf("a run that has ended: %v", err)
	}
}

// Whoever may write to a shared state root must not make others wait for ever.
func TestAskNobody(t *testing.T) {
	d := create(t)
	l, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := d.AskToCancel(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an owner that does not listen: %v", err)
	}
	if err := os.WriteFile(filepath.Join(d.Path, "cancel"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.AskToCancel(context.Background()); err == nil {
		t.Error("asked a file")
	}
}
