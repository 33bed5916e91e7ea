package html

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
)

// Logs stand in the page in pieces, each compressed and base64, in an element
// of its own that the browser keeps as text until a reader opens the log. A
// piece is lines: a letter for the stream, then the text; a line that begins
// with @ is the time from there on, in ms from the run's start.
//
// What is not in the page is in the run directory.
const (
	pieceBytes = 256 << 10
	pieceLines = 8 << 10
)

// ceilings are how many pieces a page has at most.
type ceilings struct {
	// job are those of one job: a quarter from its beginning, the rest from
	// its end.
	job int
	// all are those of all jobs together, where failed jobs take theirs first;
	// a job that finds nothing left has its last one.
	all int
}

// logData says what of a job's log is in the page.
type logData struct {
	// Job is the job's place in page.Jobs.
	Job    int         `json:"job"`
	Lines  int         `json:"lines"`
	Pieces []pieceData `json:"pieces"`
	// Gap is what was left out.
	Gap *gapData `json:"gap,omitempty"`
}

type pieceData struct {
	// ID is that of its element.
	ID string `json:"id"`
	// First is the number of its first line, from 1.
	First int `json:"first"`
	Lines int `json:"lines"`
}

type gapData struct {
	// First is the number of the first line that is left out.
	First int   `json:"first"`
	Lines int   `json:"lines"`
	Bytes int64 `json:"bytes"`
}

// piece is a part of a log before it is compressed.
type piece struct {
	first, lines int
	text         []byte
}

// pieces collects a log's, and drops from the middle what is too much.
type pieces struct {
	begun time.Time
	most  int
	list  []piece
	lines int
	at    int64
	gap   gapData
	// spare is the room of a piece that was dropped: of a long log most are.
	spare []byte
}

func (c *pieces) add(s event.Stream, at time.Time, line []byte) {
	c.lines++
	last := len(c.list) - 1
	if last < 0 || len(c.list[last].text) >= pieceBytes || c.list[last].lines == pieceLines {
		c.drop()
		if c.spare == nil {
			room := 4 << 10
			if last >= 0 { // no short log
				room = pieceBytes + maxLine
			}
			c.spare = make([]byte, 0, room)
		}
		c.list = append(c.list, piece{first: c.lines, text: c.spare})
		c.spare = nil
		last, c.at = len(c.list)-1, -1
	}
	p := &c.list[last]
	p.lines++
	if ms := at.Sub(c.begun).Milliseconds(); !at.IsZero() && ms >= 0 && ms != c.at {
		c.at = ms
		p.text = append(strconv.AppendInt(append(p.text, '@'), ms, 10), '\n')
	}
	p.text = append(append(append(p.text, letter(s)), valid(line)...), '\n')
}

// letter is what a stream's lines begin with.
func letter(s event.Stream) byte {
	switch s {
	case event.Stdout:
		return 'o'
	case event.Stderr:
		return 'e'
	}
	return 'h'
}

// drop makes room for one more piece.
func (c *pieces) drop() {
	if len(c.list) < c.most {
		return
	}
	gone := c.most / 4
	p := c.list[gone]
	if c.gap.Lines == 0 {
		c.gap.First = p.first
	}
	c.gap.Lines += p.lines
	c.gap.Bytes += int64(len(p.text) - p.lines) // about: times are in it
	c.list = append(c.list[:gone], c.list[gone+1:]...)
	c.spare = p.text[:0]
}

// readPieces reads a job's log.
func readPieces(r Run, job string, most int) (*pieces, error) {
	c := &pieces{begun: r.Past.Run.StartedAt, most: most}
	lines := newSplitter(c.add)
	err := r.Logs(job, 0, func(s event.Stream, at time.Time, chunk []byte) error {
		lines.write(s, at, chunk)
		return nil
	})
	lines.flush(time.Time{})
	return c, err
}

// writeLogs writes the pieces of all logs, and at the end which there are. One
// job's are compressed while the next one's are read.
func writeLogs(out *bufio.Writer, data *page, r Run, most ceilings) error {
	type job struct {
		data logData
		text chan [][]byte
		err  error
	}
	queue := make(chan *job, runtime.GOMAXPROCS(0))
	stop, packers := make(chan struct{}), newPackers()
	defer close(stop)
	go func() {
		defer close(queue)
		left := most.all
		for _, i := range inOrder(data.Jobs) {
			c, err := readPieces(r, data.Jobs[i].ID, max(1, min(left, most.job)))
			left -= len(c.list)
			j := &job{logOf(i, c), make(chan [][]byte, 1), err}
			if len(c.list) == 0 && err == nil {
				continue
			}
			select {
			case queue <- j:
			case <-stop:
				return
			}
			go func() { j.text <- packed(c.list, packers) }()
		}
	}()
	index := []logData{}
	for j := range queue {
		if j.err != nil {
			return fmt.Errorf("put the log of job %s into the report: %w", data.Jobs[j.data.Job].ID, j.err)
		}
		for i, text := range <-j.text {
			fmt.Fprintf(out, "<script type=\"text/plain\" id=\"%s\">", j.data.Pieces[i].ID)
			out.Write(text)
			out.WriteString("</script>\n")
		}
		index = append(index, j.data)
	}
	b, err := json.Marshal(index)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "<script type=\"application/json\" id=\"logs\">%s</script>\n", b)
	return err
}

// inOrder are the places of the jobs, those that failed first.
func inOrder(jobs []jobData) []int {
	var failed, others []int
	for i := range jobs {
		if jobs[i].Verdict == event.Failed {
			failed = append(failed, i)
		} else {
			others = append(others, i)
		}
	}
	return append(failed, others...)
}

func logOf(job int, c *pieces) logData {
	d := logData{Job: job, Lines: c.lines, Pieces: []pieceData{}}
	for i, p := range c.list {
		d.Pieces = append(d.Pieces, pieceData{fmt.Sprintf("log-%d-%d", job, i), p.first, p.lines})
	}
	if c.gap.Lines > 0 {
		d.Gap = &c.gap
	}
	return d
}

// newPackers are kept from job to job: one has a megabyte of tables, and most
// jobs print little.
func newPackers() *sync.Pool {
	return &sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		return z
	}}
}

// packed are the texts compressed, in base64.
func packed(list []piece, packers *sync.Pool) [][]byte {
	var out [][]byte
	var b bytes.Buffer
	z := packers.Get().(*gzip.Writer)
	defer packers.Put(z)
	for i := range list {
		b.Reset()
		z.Reset(&b)
		z.Write(list[i].text)
		z.Close()
		list[i].text = nil
		out = append(out, base64.StdEncoding.AppendEncode(nil, b.Bytes()))
	}
	return out
}
