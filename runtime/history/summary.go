package history

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// Unreadable is a run whose journal is missing, damaged or of another version.
const Unreadable record.State = "unreadable"

// Summary is a run as a list shows it. Times are to the millisecond.
type Summary struct {
	ID          string        `json:"id"`
	Path        string        `json:"path"`
	State       record.State  `json:"state"`
	StartedAt   time.Time     `json:"started_at"`
	FinishedAt  *time.Time    `json:"finished_at,omitempty"`
	DurationMS  int64         `json:"duration_ms"`
	Verdict     event.Verdict `json:"verdict,omitempty"`
	ExitCode    *int          `json:"exit_code,omitempty"`
	Reason      string        `json:"reason,omitempty"`
	PrepareOnly bool          `json:"prepare_only,omitempty"`
	// Lanes are those that were chosen.
	Lanes []record.LaneRecord `json:"lanes"`
	// Jobs counts them.
	Jobs int `json:"jobs"`
	// Problem says why it is unreadable.
	Problem string `json:"problem,omitempty"`
}

// Lane is the run's record of a lane; false where it did not have it.
func (s *Summary) Lane(id string) (record.LaneRecord, bool) {
	i := slices.IndexFunc(s.Lanes, func(l record.LaneRecord) bool { return l.ID == id })
	if i < 0 {
		return record.LaneRecord{}, false
	}
	return s.Lanes[i], true
}

// errEnough ends the reading of a journal's beginning.
var errEnough = errors.New("enough was read")

// summarize reads the beginning and the end of a run's journal: what lies
// between may be long. size is that of the journal.
func summarize(stateRoot, id string) (s Summary, size int64) {
	s = Summary{ID: id, Path: filepath.Join(stateRoot, "runs", id), State: Unreadable, Lanes: []record.LaneRecord{}}
	f, err := os.Open(filepath.Join(s.Path, "events.jsonl"))
	if err != nil {
		s.Problem = err.Error()
		s.StartedAt, _ = record.IDTime(id)
		return s, 0
	}
	defer f.Close()
	if err := s.begin(f); err != nil {
		s.Problem = err.Error()
		return s, 0
	}
	info, err := f.Stat()
	if err != nil {
		s.Problem = err.Error()
		return s, 0
	}
	end, err := record.ReadEnding(f, info.Size())
	if err != nil {
		s.Problem = err.Error()
		return s, 0
	}
	s.State = record.Unfinished
	if end.Finished != nil {
		s.finish(end)
	}
	return s, info.Size()
}

// begin takes the first two events.
func (s *Summary) begin(f *os.File) error {
	s.StartedAt, _ = record.IDTime(s.ID)
	err := record.ReadEvents(f, func(e event.Event) error {
		switch {
		case e.JournalOpened != nil:
			s.StartedAt = e.Time.Truncate(time.Millisecond)
			return nil
		case e.RunStarted != nil:
			s.PrepareOnly, s.Jobs = e.RunStarted.PrepareOnly, len(e.RunStarted.Jobs)
			for _, l := range e.RunStarted.Lanes {
				s.Lanes = append(s.Lanes, record.LaneRecord{ID: l})
			}
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (s *Summary) finish(end record.Ending) {
	at := end.FinishedAt.Truncate(time.Millisecond)
	s.State, s.FinishedAt, s.DurationMS = record.Finished, &at, end.Finished.DurationMS
	s.Verdict, s.Reason = end.Finished.Verdict, end.Finished.Reason
	s.ExitCode = &end.Finished.ExitCode
	verdicts := make(map[string]event.Verdict, len(end.Lanes))
	for _, l := range end.Lanes {
		verdicts[l.Lane] = l.Verdict
	}
	for i := range s.Lanes {
		s.Lanes[i].Verdict = verdicts[s.Lanes[i].ID]
	}
}
