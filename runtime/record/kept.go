package record

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sledtools/pikaci/internal/atomicfile"
)

// keptDir holds a file for each run of which an instance was kept, so that
// nobody has to look for those among thousands of runs.
func keptDir(stateRoot string) string { return filepath.Join(stateRoot, "kept") }

// NoteKept notes until when the run's instances are kept. The marks on the
// instances decide; this says where to look.
func NoteKept(stateRoot, run string, until time.Time) error {
	if err := os.MkdirAll(keptDir(stateRoot), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(keptDir(stateRoot), run), []byte(until.UTC().Format(time.RFC3339)+"\n"), 0o644)
}

// KeptRuns are the runs that were noted, and until when. One whose note is
// damaged is over.
func KeptRuns(stateRoot string) map[string]time.Time {
	kept := map[string]time.Time{}
	notes, err := os.ReadDir(keptDir(stateRoot))
	if err != nil {
		return kept
	}
	for _, note := range notes {
		if !ValidID(note.Name()) {
			continue
		}
		b, _ := os.ReadFile(filepath.Join(keptDir(stateRoot), note.Name()))
		kept[note.Name()], _ = time.Parse(time.RFC3339, strings.TrimSpace(string(b)))
	}
	return kept
}

// ForgetKept takes a note away: the run's instances are gone.
func ForgetKept(stateRoot, run string) error {
	err := os.Remove(filepath.Join(keptDir(stateRoot), run))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
