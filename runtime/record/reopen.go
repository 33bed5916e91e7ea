package record

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// Reopen opens the journal of a run whose owner was killed, to write on. A line that was cut off is taken away,
// and torn is how long it was. The caller owns the run.
func (l *Lock) Reopen(watch func(event.Event)) (j *Journal, torn int64, err error) {
	f, err := os.OpenFile(l.dir.file("events.jsonl"), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, 0, fmt.Errorf("open the journal: %w", err)
	}
	j = &Journal{file: f, watch: watch, now: time.Now}
	err = ReadEvents(f, func(e event.Event) error {
		j.seq = e.Seq
		j.fold.Add(e)
		return nil
	})
	if err == nil {
		j.size, torn, err = cutTorn(f)
	}
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("open the journal: %w", err)
	}
	return j, torn, nil
}

// cutTorn takes away what follows the last end of line, and syncs: the lines
// that stay are relied on from now on.
func cutTorn(f *os.File) (size, torn int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	end := info.Size()
	buf := make([]byte, 64<<10)
	for size = end; size > 0; {
		n := min(size, int64(len(buf)))
		if _, err := f.ReadAt(buf[:n], size-n); err != nil {
			return 0, 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			size += int64(i) + 1 - n
			break
		}
		size -= n
	}
	if size < end {
		err = f.Truncate(size)
	}
	return size, end - size, errors.Join(err, f.Sync())
}

// CutLog shortens a job's log to a length that it had before, so that what
// follows can be written once more.
func (d *Dir) CutLog(job string, s event.Stream, length int64) error {
	err := os.Truncate(d.file("jobs", job, string(s)+".log"), length)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("shorten a log: %w", err)
	}
	return nil
}

// DropArtifacts removes what was kept of an attempt that is made once more.
// kept says that the journal tells of such a file. The artifacts of the attempt
// before are moved aside as those of the next arrive: which of the two a folder
// is of shows by whether that was done.
func (d *Dir) DropArtifacts(job string, attempt int, kept bool) error {
	dir := d.file("jobs", job, "artifacts")
	aside := fmt.Sprintf("%s.%d", dir, attempt-1)
	_, err := os.Lstat(aside)
	if attempt > 1 && err != nil && !kept {
		return nil
	}
	return os.RemoveAll(dir)
}

// ReadFile reads a file of the run.
func (d *Dir) ReadFile(name string) ([]byte, error) { return os.ReadFile(d.file(name)) }
