package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/guest"
)

// How long to wait for more output: short at first, for the first word and the
// last, and longer where nothing comes.
const (
	shortest = time.Millisecond
	longest  = 20 * time.Millisecond
)

// lostError means that nobody takes the frames any more.
type lostError struct{ err error }

func (e *lostError) Error() string { return "write frames: " + e.err.Error() }

// frames writes frames to the host.
type frames struct{ w *os.File }

// write writes b, which begins with a frame's header.
func (f frames) write(b []byte) error {
	if _, err := f.w.Write(b); err != nil {
		return &lostError{err}
	}
	return nil
}

func (f frames) send(k guest.Kind, payload []byte) error {
	if err := guest.WriteFrame(f.w, k, payload); err != nil {
		return &lostError{err}
	}
	return nil
}

// follow writes frames of all that the job writes, from the offsets on, then
// its status and its artifacts.
func follow(w *os.File, start guest.Start) error {
	out := frames{w}
	widen(w)
	stdout, err := openTail(stdoutFile, guest.Stdout, start.From.Stdout)
	if err != nil {
		return err
	}
	stderr, err := openTail(stderrFile, guest.Stderr, start.From.Stderr)
	if err != nil {
		return err
	}
	tails := []*tail{stdout, stderr}
	if start.Request.Runner != "" {
		events, err := openTail(eventsFile, guest.Events, start.From.Events)
		if err != nil {
			return err
		}
		tails = append(tails, events)
	}
	if err := tailToEnd(out, tails...); err != nil {
		return err
	}
	status, err := readStatus()
	if err != nil {
		return err
	}
	if err := out.send(guest.Ended, status); err != nil {
		return err
	}
	if start.Artifacts != nil {
		if err := sendArtifacts(out, *start.Artifacts); err != nil {
			return err
		}
	}
	return out.send(guest.Done, nil)
}

func readStatus() ([]byte, error) {
	f, err := openRegular(statusFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, guest.MaxStatus+1))
	if err == nil && len(b) > guest.MaxStatus {
		err = errors.New("the job's status is too large")
	}
	return b, err
}

// tailToEnd sends the output until the job has ended and all of it is sent.
func tailToEnd(out frames, tails ...*tail) error {
	wait, begun, over := shortest, false, false
	for {
		if !begun && exists(startedFile) {
			begun = true
			if err := out.send(guest.Started, nil); err != nil {
				return err
			}
		}
		most := 0
		for _, t := range tails {
			n, err := t.send(out)
			if err != nil {
				return err
			}
			most = max(most, n)
		}
		switch {
		case most == guest.MaxPayload:
		case most > 0:
			// Not at once: what comes meanwhile makes one frame, not many.
			wait = shortest
			time.Sleep(wait)
		case over && !exists(statusFile):
			return errors.New("the supervisor was killed" + lastWords())
		case over:
			return nil
		// Asked for before the last look at the output: what was written
		// before the end is never missed.
		case exists(statusFile), supervisor() == 0:
			over = true
		default:
			time.Sleep(wait)
			wait = min(wait*9/8, longest)
		}
	}
}

// lastWords are what the supervisor said, if it did.
func lastWords() string {
	f, err := openRegular(supervisorLog)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 500))
	if len(b) == 0 {
		return ""
	}
	return ": " + strings.TrimSpace(string(b))
}
