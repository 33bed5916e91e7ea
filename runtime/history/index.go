package history

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// The index is runs.index in the state root: a line for each run, as its
// journal has it, so that a list of thousands needs not open thousands of
// journals. It is no record: it may be deleted at any time, is made again
// by whoever needs it, and what of it is damaged or of a run that is gone is
// passed over. Nobody waits for it to be written.
const (
	indexName = "runs.index"
	indexHead = "pikaci runs 1\n"
	// indexFrom is how many journals are read before the index is: a few
	// are read faster than it.
	indexFrom = 64
)

// index is what of the file is known, and what is to be added to it.
type index struct {
	path string
	// lines are by id, without it.
	lines map[string]string
	// read counts the runs that were read from their journals.
	read   int
	loaded bool
	// whole says that the file has to be written anew.
	whole bool
	added []string
}

// load reads the file, as far as it is of use.
func (x *index) load() {
	x.loaded = true
	x.lines = make(map[string]string)
	b, err := os.ReadFile(x.path)
	text, ok := strings.CutPrefix(string(b), indexHead)
	if err != nil || !ok {
		x.whole = true
		return
	}
	for line := range strings.Lines(text) {
		id, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if ok {
			x.lines[id] = rest
		}
	}
}

// get is a run that the index knows; false where it must be read.
func (x *index) get(stateRoot, id string) (Summary, bool) {
	if !x.loaded {
		if x.read < indexFrom {
			return Summary{}, false
		}
		x.load()
	}
	line, ok := x.lines[id]
	if !ok {
		return Summary{}, false
	}
	s, size, ok := parseLine(id, line)
	if !ok {
		return Summary{}, false
	}
	s.Path = filepath.Join(stateRoot, "runs", id)
	if _, unique := record.IDTime(id); !unique || s.State != record.Finished {
		// It may have gone on, and an id that somebody chose may be of
		// another run by now.
		info, err := os.Stat(filepath.Join(s.Path, "events.jsonl"))
		if err != nil || info.Size() != size {
			return Summary{}, false
		}
	}
	return s, true
}

// put takes a run that was read.
func (x *index) put(s Summary, size int64) {
	x.read++
	if s.State == Unreadable || strings.ContainsAny(s.ID, "\t\n") {
		return
	}
	for _, l := range s.Lanes {
		if strings.ContainsAny(l.ID+string(l.Verdict), "\t\n=,") {
			return
		}
	}
	x.added = append(x.added, formatLine(s, size))
}

// save writes what was added, if it is worth it. It is of use only, so that
// no error is one: the state root may be somebody else's.
func (x *index) save(runs []entry) {
	if len(x.added) < indexFrom {
		return
	}
	text := strings.Join(x.added, "")
	x.added = nil
	if !x.loaded {
		x.load()
	}
	if !x.whole && len(x.lines) <= 2*len(runs)+1000 {
		if f, err := os.OpenFile(x.path, os.O_WRONLY|os.O_APPEND, 0); err == nil {
			f.WriteString(text)
			f.Close()
		}
		return
	}
	x.whole = false
	var b strings.Builder
	b.WriteString(indexHead)
	for _, e := range runs {
		if line, ok := x.lines[e.id]; ok {
			b.WriteString(e.id + "\t" + line + "\n")
		}
	}
	b.WriteString(text)
	_ = atomicfile.Write(x.path, []byte(b.String()), 0o644) // else whoever is next reads the journals
}

// formatLine is a run's line, with its sum at the end: a line that was cut off,
// or two that were written into one another, are known by it.
func formatLine(s Summary, size int64) string {
	lanes := make([]string, len(s.Lanes))
	for i, l := range s.Lanes {
		lanes[i] = l.ID + "=" + string(l.Verdict)
	}
	finished, code := int64(0), 0
	if s.State == record.Finished {
		finished, code = s.FinishedAt.UnixMilli(), *s.ExitCode
	}
	line := fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%s\t%d\t%t\t%d\t%s\t%s", s.ID, size, s.StartedAt.UnixMilli(), finished,
		s.DurationMS, s.Verdict, code, s.PrepareOnly, s.Jobs, strings.Join(lanes, ","), strconv.Quote(s.Reason))
	return fmt.Sprintf("%s\t%08x\n", line, crc32.ChecksumIEEE([]byte(line)))
}

// parseLine reads what formatLine wrote, behind the id.
func parseLine(id, rest string) (s Summary, size int64, ok bool) {
	at := strings.LastIndexByte(rest, '\t')
	if at < 0 {
		return s, 0, false
	}
	sum, err := strconv.ParseUint(rest[at+1:], 16, 32)
	if err != nil || uint32(sum) != crc32.ChecksumIEEE([]byte(id+"\t"+rest[:at])) {
		return s, 0, false
	}
	words := strings.SplitN(rest[:at], "\t", 10)
	if len(words) != 10 {
		return s, 0, false
	}
	var numbers [6]int64
	for i, from := range []int{0, 1, 2, 3, 5, 7} {
		if numbers[i], err = strconv.ParseInt(words[from], 10, 64); err != nil {
			return s, 0, false
		}
	}
	s = Summary{ID: id, State: record.Unfinished, StartedAt: time.UnixMilli(numbers[1]).UTC(),
		DurationMS: numbers[3], Verdict: event.Verdict(words[4]), PrepareOnly: words[6] == "true",
		Jobs: int(numbers[5]), Lanes: []record.LaneRecord{}}
	if numbers[2] != 0 {
		finished, code := time.UnixMilli(numbers[2]).UTC(), int(numbers[4])
		s.State, s.FinishedAt, s.ExitCode = record.Finished, &finished, &code
	}
	if words[8] != "" {
		for lane := range strings.SplitSeq(words[8], ",") {
			name, verdict, _ := strings.Cut(lane, "=")
			s.Lanes = append(s.Lanes, record.LaneRecord{ID: name, Verdict: event.Verdict(verdict)})
		}
	}
	s.Reason, err = strconv.Unquote(words[9])
	return s, numbers[0], err == nil
}
