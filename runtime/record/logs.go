package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/sledtools/pikaci/runtime/event"
)

// JobLogs are the log files of one job. Each is made with its first byte: one
// that nobody wrote to is not there.
type JobLogs struct {
	Host, Stdout, Stderr *Log
	times                *times
}

// OpenLogs makes the job's folder, and its logs ready. watch is told of every
// chunk that was kept, with secrets masked; it must not block.
func (d *Dir) OpenLogs(job string, secrets []string, limit int64, watch func(event.Stream, []byte)) (*JobLogs, error) {
	dir := d.file("jobs", job)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	logs := JobLogs{times: newTimes(filepath.Join(dir, timesFile))}
	ready := func(s event.Stream) *Log {
		l := newLog(filepath.Join(dir, string(s)+".log"), secrets, limit, func(p []byte) { watch(s, p) })
		l.mark = func(offset int64) { logs.times.mark(s, offset) }
		return l
	}
	logs.Host, logs.Stdout, logs.Stderr = ready(event.Host), ready(event.Stdout), ready(event.Stderr)
	return &logs, nil
}

// OpenSetupLog readies the log of what host_setup commands print. They have the
// host's own environment, and so, it may be, its secrets.
func (d *Dir) OpenSetupLog(secrets []string, limit int64) *Log {
	return newLog(d.file("host-setup.log"), secrets, limit, func([]byte) {})
}

func newLog(name string, secrets []string, limit int64, watch func([]byte)) *Log {
	l := &Log{name: name, limit: limit, watch: watch, mark: func(int64) {}}
	l.mask = newMask(secrets, l.keep)
	return l
}

// Close closes the three files. It returns the first error of writing each,
// and tells of logs that were cut off.
func (l *JobLogs) Close(truncated func(event.Stream, int64)) error {
	defer l.times.close()
	var errs []error
	for _, log := range []struct {
		stream event.Stream
		*Log
	}{{event.Host, l.Host}, {event.Stdout, l.Stdout}, {event.Stderr, l.Stderr}} {
		dropped, err := log.Close()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.log: %w", log.stream, err))
		}
		if dropped > 0 {
			truncated(log.stream, dropped)
		}
	}
	return errors.Join(errs...)
}

// Log is one log file. It masks secrets, keeps at most its limit, and never
// fails its writer: a full disk must not end a job, only be told of at the end.
type Log struct {
	mu      sync.Mutex
	name    string
	file    *os.File // nil until there is a byte
	size    int64
	limit   int64
	mask    *mask
	dropped int64
	err     error
	closed  bool
	watch   func([]byte)
	// mark is told where each chunk begins.
	mark func(offset int64)
	// unshown keeps the present chunk from those who watch.
	unshown bool
}

// Unshown is a writer to the same log that nobody watches.
func (l *Log) Unshown() io.Writer { return unshown{l} }

type unshown struct{ log *Log }

func (u unshown) Write(p []byte) (int, error) {
	u.log.write(p, true)
	return len(p), nil
}

// Write takes a chunk; it always takes all of it. After Close, when a run that
// was abandoned still has writers, it goes nowhere.
func (l *Log) Write(p []byte) (int, error) {
	l.write(p, false)
	return len(p), nil
}

func (l *Log) write(p []byte, unshown bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.unshown = unshown
	l.mask.write(p)
}

// Mark ends a stretch of the log: what the mask holds back is written, for it
// can't become a secret any more. It returns the log's length.
func (l *Log) Mark() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.size
	}
	l.mask.flush()
	if info, err := os.Stat(l.name); err == nil && l.file == nil {
		return info.Size()
	}
	return l.size
}

// open makes the file, or opens it where a resumed run writes on.
func (l *Log) open() error {
	if l.file != nil || l.err != nil {
		return l.err
	}
	f, err := os.OpenFile(l.name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// keep appends what came out of the mask.
func (l *Log) keep(p []byte) {
	l.err = l.open()
	if cut := min(int64(len(p)), max(0, l.limit-l.size)); cut < int64(len(p)) {
		l.dropped += int64(len(p)) - cut
		p = p[:cut]
	}
	if len(p) == 0 {
		return
	}
	if l.err == nil {
		l.mark(l.size)
		var n int
		n, l.err = l.file.Write(p)
		l.size += int64(n)
	}
	if !l.unshown {
		l.watch(p)
	}
}

// Close writes what the mask holds back and closes the file. It returns how
// many bytes were over the limit; a second time, nothing.
func (l *Log) Close() (dropped int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, nil
	}
	l.closed = true
	l.mask.flush()
	if l.file != nil {
		l.err = errors.Join(l.err, l.file.Close())
	}
	return l.dropped, l.err
}

var _ io.Writer = (*Log)(nil)
