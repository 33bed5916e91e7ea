package record

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// cancelFile is a pipe with a name that the owner of a run reads. A pid could
// be another process's by the time that it gets a signal, or mean another one
// where the asker lives; a pipe has a reader exactly while the owner lives.
const cancelFile = "cancel"

// Asked makes this run one that others may ask to cancel. The channel is closed
// once one did; stop ends the listening.
func (l *Lock) Asked() (asked <-chan struct{}, stop func(), err error) {
	name := l.dir.file(cancelFile)
	// One of a dead owner.
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if err := unix.Mkfifo(name, 0o600); err != nil {
		return nil, nil, fmt.Errorf("make %s: %w", name, err)
	}
	// For writing too, so that it does not end with an asker.
	pipe, err := os.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	c := make(chan struct{})
	go func() {
		if n, _ := pipe.Read(make([]byte, 1)); n > 0 {
			close(c)
		}
	}()
	return c, func() {
		os.Remove(name)
		pipe.Close()
	}, nil
}

// ErrDead means that a run has no owner and did not end: it was killed.
var ErrDead = errors.New("it was killed")

// ErrEnded means that a run has ended.
var ErrEnded = errors.New("it has ended")

// askPause is between looks at another process's run.
const askPause = 20 * time.Millisecond

// AskToCancel asks the owner of the run to cancel it. It does not wait for
// that. ErrEnded and ErrDead say that there is nobody to ask.
func (d *Dir) AskToCancel(ctx context.Context) error {
	for {
		live, err := d.Live()
		if err != nil {
			return err
		}
		if !live {
			return d.over()
		}
		err = d.ask()
		// It has no reader: the owner just begins, or is about to end.
		if !errors.Is(err, unix.ENXIO) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("ask run %s: its owner does not listen: %w", d.ID, err)
		}
	}
}

func (d *Dir) ask() error {
	pipe, err := os.OpenFile(d.file(cancelFile), os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer pipe.Close()
	// What stands in its place may be anything, if the state root is shared.
	if info, err := pipe.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return errors.Join(err, fmt.Errorf("%s is not a pipe", d.file(cancelFile)))
	}
	_, err = pipe.Write([]byte("c"))
	return err
}

// AwaitEnd waits until the run has no owner. The error is nil where it ended,
// ErrDead where it was killed, or of ctx.
func (d *Dir) AwaitEnd(ctx context.Context) error {
	for {
		live, err := d.Live()
		if err != nil {
			return err
		}
		if !live {
			if err := d.over(); !errors.Is(err, ErrEnded) {
				return err
			}
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// over is how a run without an owner came to have none.
func (d *Dir) over() error {
	past, err := d.Read()
	switch {
	case errors.Is(err, ErrNotBegun):
		return ErrDead
	case err != nil:
		return err
	case past.Run.FinishedAt != nil:
		return ErrEnded
	}
	return ErrDead
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(askPause):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
