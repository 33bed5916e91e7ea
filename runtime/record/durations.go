package record

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/runtime/event"
)

// Durations are how long nodes take, by their ids: the mean of earlier runs, in
// which the last counts half. They only order what may start; the file is made
// again when it is deleted.
type Durations map[string]time.Duration

func durationsPath(stateRoot string) string { return filepath.Join(stateRoot, "durations.json") }

// ReadDurations reads what earlier runs of the state root took. A file that is
// missing or damaged is none.
func ReadDurations(stateRoot string) Durations {
	d := make(Durations)
	var ms map[string]int64
	b, err := os.ReadFile(durationsPath(stateRoot))
	if err != nil || json.Unmarshal(b, &ms) != nil {
		return d
	}
	for id, n := range ms {
		if n > 0 && n < (30*24*time.Hour).Milliseconds() {
			d[id] = time.Duration(n) * time.Millisecond
		}
	}
	return d
}

// Note takes the nodes of a run that passed at the first attempt.
func (d Durations) Note(r Run) {
	for _, n := range r.Nodes {
		if n.Verdict != event.Passed || n.Attempts != 1 || n.StartedAt == nil || n.EndedAt == nil {
			continue
		}
		took := max(n.EndedAt.Sub(*n.StartedAt), time.Millisecond)
		if before, known := d[n.ID]; known {
			took = (before + took) / 2
		}
		d[n.ID] = took
	}
}

// Write replaces the file. Of two runs that end together one is lost, which
// costs nothing.
func (d Durations) Write(stateRoot string) error {
	ms := make(map[string]int64, len(d))
	for id, took := range d {
		ms[id] = max(took.Milliseconds(), 1)
	}
	b, err := json.MarshalIndent(ms, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(durationsPath(stateRoot), b, 0o644)
}
