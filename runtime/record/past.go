package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// IDTime is the time that an id of [NewID] was made at; false for others.
func IDTime(id string) (time.Time, bool) {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return time.Time{}, false
	}
	return ulid.Time(u.Time()).UTC(), true
}

// Past is what the events of a run, that may still go on, say so far.
type Past struct {
	Run     Run
	Outputs PreparedOutputs
	// Last is the time of the last event.
	Last  time.Time
	State State
}

// ErrNotBegun means that a run has no event: it is about to begin, or was
// killed before it did.
var ErrNotBegun = errors.New("it has no events: it has not begun, or was killed before")

// Read folds the run's events. With an error, which names the line, the fold
// is of the events before it; with [ErrNotBegun] it is empty. The paths in the record are those of the host
// that it was made on.
func (d *Dir) Read() (Past, error) {
	past := Past{State: d.Stands()}
	var fold Fold
	err := d.Events(func(e event.Event) error {
		fold.Add(e)
		past.Last = e.Time
		return nil
	})
	past.Run, past.Outputs = fold.Run(), fold.Outputs()
	if past.Run.FinishedAt != nil {
		past.State = Finished
	}
	if err == nil && past.Last.IsZero() {
		err = fmt.Errorf("read run %s: %w", d.ID, ErrNotBegun)
	}
	return past, err
}

// ReadEnded is the record of a run that has ended, by its run.json: that takes
// a third of the time that its events take. They are read where it has none.
func (d *Dir) ReadEnded() (Run, error) {
	var r Run
	if b, err := d.ReadFile("run.json"); err == nil && json.Unmarshal(b, &r) == nil && r.SchemaVersion == RunSchemaVersion && r.ID == d.ID && r.FinishedAt != nil {
		return r, nil
	}
	past, err := d.Read()
	return past.Run, err
}

// Events gives each event of the run so far. A journal that is not there yet
// is as good as an empty one.
func (d *Dir) Events(each func(event.Event) error) error {
	f, err := os.Open(d.file("events.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read run %s: %w", d.ID, err)
	}
	defer f.Close()
	if err := ReadEvents(f, each); err != nil {
		return fmt.Errorf("read run %s: %w", d.ID, err)
	}
	return nil
}

// Plan is the plan that the run carries out.
func (d *Dir) Plan() (*plan.Plan, error) {
	b, err := os.ReadFile(d.file("plan.json"))
	if err != nil {
		return nil, fmt.Errorf("read the plan of run %s: %w", d.ID, err)
	}
	p, err := plan.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("read the plan of run %s: %w", d.ID, err)
	}
	return p, nil
}

// tailStep is how much of a journal's end is read at first, in bytes.
const tailStep = 8 << 10

// Ending is what a journal says at its end, from its last whole lines alone.
type Ending struct {
	// Finished is nil where the run goes on, or was killed.
	Finished   *event.RunFinished
	FinishedAt time.Time
	// Lanes have their verdicts right before the run's.
	Lanes []event.LaneFinished
}

// ReadEnding reads the end of a journal of that size. It does not look at what
// stands before: [ReadEvents] does.
func ReadEnding(r io.ReaderAt, size int64) (Ending, error) {
	for step := int64(tailStep); ; step *= 4 {
		from := max(0, size-step)
		b := make([]byte, size-from)
		if _, err := r.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
			return Ending{}, err
		}
		end, whole := endingOf(b, from == 0)
		if whole || from == 0 {
			return end, nil
		}
	}
}

// endingOf reads lines from the back; whole says that it saw one that is not
// part of the ending, so that nothing of it is missing.
func endingOf(b []byte, all bool) (end Ending, whole bool) {
	last := bytes.LastIndexByte(b, '\n')
	if last < 0 {
		return end, all
	}
	b = b[:last]
	for len(b) > 0 {
		at := bytes.LastIndexByte(b, '\n')
		if at < 0 && !all {
			return end, false // it may be cut off
		}
		var e event.Event
		if err := json.Unmarshal(b[at+1:], &e); err != nil {
			return end, true
		}
		switch {
		case e.RunFinished != nil && end.Finished == nil:
			end.Finished, end.FinishedAt = e.RunFinished, e.Time
		case e.LaneFinished != nil && end.Finished != nil:
			end.Lanes = append(end.Lanes, *e.LaneFinished)
		default:
			return end, true
		}
		b = b[:max(0, at)]
	}
	return end, all
}
