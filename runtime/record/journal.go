package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/runtime/event"
)

// Journal appends to events.jsonl, and keeps the fold of what it appended.
type Journal struct {
	mu     sync.Mutex
	file   *os.File
	size   int64
	seq    int64
	broken error
	fold   Fold
	watch  func(event.Event)
	now    func() time.Time
	// clean says that all of the file is synced, synced when that was done last,
	// timer when it will be, if there is one; syncing are those that are due or
	// under way.
	clean   bool
	synced  time.Time
	timer   *time.Timer
	syncing sync.WaitGroup
	late    error // of one of those
}

// syncEvery is how long an event may stay unsynced that must be on disk soon.
const syncEvery = 100 * time.Millisecond

// OpenJournal makes the journal of a new run. watch is told of every event, in
// order, also of those that could not be written; it must not block.
func (d *Dir) OpenJournal(watch func(event.Event)) (*Journal, error) {
	f, err := os.OpenFile(d.file("events.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("make the journal: %w", err)
	}
	// Its own syncs do not save the names that lead to it.
	if err := errors.Join(atomicfile.SyncDir(d.Path), atomicfile.SyncDir(filepath.Dir(d.Path))); err != nil {
		f.Close()
		return nil, fmt.Errorf("make the journal: %w", err)
	}
	return &Journal{file: f, watch: watch, now: time.Now}, nil
}

// Append stamps the event and writes it as one line; it is on disk when safety
// says. After a first failure nothing more is written: a journal with a hole
// would lie.
func (j *Journal) Append(e event.Event, safety event.Safety) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seq++
	e.Seq, e.Time = j.seq, j.now().UTC()
	j.fold.Add(e)
	j.watch(e)
	if j.broken == nil {
		j.broken = j.write(e, safety)
	}
	return j.broken
}

func (j *Journal) write(e event.Event, safety event.Safety) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	if len(b) > maxEvent {
		return errLong // no reader would take it
	}
	j.clean = false
	n, err := j.file.Write(append(b, '\n'))
	if err != nil {
		if n > 0 {
			// Leave no half line behind; a reader copes with one anyway.
			err = errors.Join(err, j.file.Truncate(j.size))
		}
		return err
	}
	j.size += int64(n)
	if due := j.synced.Add(syncEvery); safety == event.Soon && j.now().Before(due) {
		j.syncAt(due)
		return nil
	}
	if safety == event.Later {
		return nil
	}
	return j.sync()
}

func (j *Journal) sync() error {
	if j.clean {
		return nil
	}
	j.synced = j.now()
	err := j.file.Sync()
	j.clean = err == nil
	return err
}

// syncAt has the file synced at that time, while others append.
func (j *Journal) syncAt(due time.Time) {
	if j.timer != nil {
		return
	}
	j.syncing.Add(1)
	j.timer = time.AfterFunc(due.Sub(j.now()), func() {
		defer j.syncing.Done()
		j.mu.Lock()
		j.timer, j.synced = nil, j.now()
		j.mu.Unlock()
		err := j.file.Sync()
		j.mu.Lock()
		defer j.mu.Unlock()
		j.late = err
		if j.broken == nil {
			j.broken = err
		}
	})
}

// Records are the folds of all events so far.
func (j *Journal) Records() (Run, PreparedOutputs) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.fold.Run(), j.fold.Outputs()
}

// Close syncs and closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.timer != nil && j.timer.Stop() {
		j.syncing.Done()
	}
	j.mu.Unlock()
	j.syncing.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.late, j.sync(), j.file.Close())
}

// maxEvent bounds one line of a journal, in bytes, without its end of line.
const maxEvent = 16 << 20

var errLong = fmt.Errorf("an event of over %d MiB", maxEvent>>20)

// ReadEvents reads a journal. A last line that was cut off is left out: its
// writer was killed. Any other line that is not the next event is an error
// that names it.
func ReadEvents(r io.Reader, each func(event.Event) error) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	for n := int64(1); ; n++ {
		line, err := readLine(lines)
		if err == io.EOF {
			return nil
		}
		if err == nil && n == 1 {
			err = checkFirst(line)
		}
		var e event.Event
		if err == nil {
			e, err = decodeEvent(line, n)
		}
		if err != nil {
			return fmt.Errorf("events.jsonl:%d: %w", n, err)
		}
		if err := each(e); err != nil {
			return err
		}
	}
}

// checkFirst checks the version before all else: lines of another one may look
// like anything.
func checkFirst(line []byte) error {
	var head struct {
		Opened *struct {
			SchemaVersion int `json:"schema_version"`
		} `json:"journal_opened"`
	}
	switch err := json.Unmarshal(line, &head); {
	case err != nil || head.Opened == nil:
		return errors.New("not the beginning of a journal: want journal_opened")
	case head.Opened.SchemaVersion != event.SchemaVersion:
		return fmt.Errorf("a journal of schema version %d: this pikaci reads version %d",
			head.Opened.SchemaVersion, event.SchemaVersion)
	}
	return nil
}

func decodeEvent(line []byte, seq int64) (e event.Event, err error) {
	if err := json.Unmarshal(line, &e); err != nil {
		return e, fmt.Errorf("not an event: %w", err)
	}
	if e.Seq != seq {
		return e, fmt.Errorf("not the next event: seq is %d, want %d", e.Seq, seq)
	}
	return e, nil
}

// readLine gives one whole line, io.EOF at the end or at a line cut off.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(bytes.TrimSuffix(line, []byte("\n"))) > maxEvent {
			return nil, errLong
		}
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
