package html_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/report/html"
)

var (
	update = flag.Bool("update", false, "write what comes out to testdata")
	into   = flag.String("into", "", "folder for TestWritePages to write to")
)

// pages are the runs that the browser looks at.
func pages() map[string]html.Run {
	m, earlier := theStory()
	killed := m.run(earlier...)
	killed.Past = m.past(52_000)
	alone := m.run()
	alone.Plan, alone.Linked = nil, false
	alone.Damaged = "events.jsonl:7: <b>cut off</b>"
	return map[string]html.Run{"story": m.run(earlier...), "killed": killed, "alone": alone, "hostile": hostileRun().run(hostileRun().past(0).Run)}
}

// TestWritePages writes the pages for scripts/test-web:
// go test ./runtime/report/html -run TestWritePages -into DIR.
func TestWritePages(t *testing.T) {
	if *into == "" {
		t.Skip("no -into")
	}
	all := pages()
	all["big"], all["long"] = bigRun(500, 20<<10).run(), bigRun(2, 3<<20).run()
	for name, run := range all {
		if err := os.WriteFile(filepath.Join(*into, name+".html"), written(t, run), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWriteLarge writes 500 jobs with 200 MB of logs, to measure:
// go test ./runtime/report/html -run TestWriteLarge -into DIR -v.
func TestWriteLarge(t *testing.T) {
	if *into == "" {
		t.Skip("no -into")
	}
	run := bigRun(500, 400_000).run()
	f, err := os.Create(filepath.Join(*into, "large.html"))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := errors.Join(html.Write(f, run), f.Close()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB in %v", float64(info.Size())/1e6, time.Since(start))
}

func written(t testing.TB, run html.Run) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := html.Write(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func writtenOf(t *testing.T, run html.Run, job, all int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := html.WriteOf(&b, run, job, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var elements = regexp.MustCompile(`(?s)<script([^>]*)>(.*?)</script>`)

// element is the text of the element with the id.
func element(t *testing.T, page []byte, id string) []byte {
	t.Helper()
	for _, m := range elements.FindAllSubmatch(page, -1) {
		if bytes.Contains(m[1], []byte(`id="`+id+`"`)) {
			return m[2]
		}
	}
	t.Fatalf("no element %s in the page", id)
	return nil
}

// TestData holds the data of a page, without its logs, against testdata.
func TestData(t *testing.T) {
	for name, run := range pages() {
		var got bytes.Buffer
		if err := json.Indent(&got, element(t, written(t, run), "run"), "", " "); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s differs (go test -update writes it)", path)
		}
	}
}

// TestNothingBreaksOut: whatever a run says, the page has the elements that it
// would have anyway, and only one script that runs.
func TestNothingBreaksOut(t *testing.T) {
	page := written(t, hostileRun().run(hostileRun().past(0).Run))
	runs := 0
	for _, m := range elements.FindAllSubmatch(page, -1) {
		if !bytes.Contains(m[1], []byte("type=")) {
			runs++
		}
	}
	if runs != 1 {
		t.Errorf("%d scripts that run, want 1", runs)
	}
	own := element(t, page, "run")
	for _, bad := range []string{"<", ">", "\u2028", "\u2029"} {
		if bytes.Contains(own, []byte(bad)) {
			t.Errorf("the data holds %q", bad)
		}
	}
	rest := elements.ReplaceAll(page, nil)
	if n := bytes.Count(rest, []byte("<script")); n != 0 {
		t.Errorf("%d elements begin outside of elements", n)
	}
	for _, bad := range []string{"onerror=\"", "<img", "javascript:"} {
		if bytes.Contains(rest, []byte(bad)) {
			t.Errorf("the page holds %q outside of its data", bad)
		}
	}
}

// TestPolicy: the page's own script and style are what its policy names, and
// neither it nor they name another place.
func TestPolicy(t *testing.T) {
	page := written(t, hostileRun().run())
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindSubmatch(page)
	if policy == nil {
		t.Fatal("no policy")
	}
	if !bytes.HasPrefix(policy[1], []byte("default-src &#39;none&#39;; script-src &#39;sha256-")) || bytes.Contains(policy[1], []byte("unsafe")) {
		t.Errorf("policy: %s", policy[1])
	}
	for _, name := range []string{"report.js", "report.css"} {
		b, err := os.ReadFile(filepath.Join("built", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"</script", "<!--", "</style", "https://", "innerHTML", "eval(", "@import", "url(http"} {
			if _, code, licensed := bytes.Cut(b, []byte("*/")); bytes.Contains(b, []byte(bad)) && (!licensed || bytes.Contains(code, []byte(bad))) {
				t.Errorf("%s holds %q", name, bad)
			}
		}
		if !bytes.Contains(page, b) {
			t.Errorf("%s is not in the page as it is", name)
		}
	}
}

// unpacked are the lines of a job's log as the page has them.
func unpacked(t *testing.T, page []byte, job int) (lines []string, index logIndex) {
	t.Helper()
	var all []logIndex
	if err := json.Unmarshal(element(t, page, "logs"), &all); err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.Job != job {
			continue
		}
		for _, p := range l.Pieces {
			packed, err := base64.StdEncoding.DecodeString(string(element(t, page, p.ID)))
			if err != nil {
				t.Fatal(err)
			}
			z, err := gzip.NewReader(bytes.NewReader(packed))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range strings.Lines(string(b)) {
				if !strings.HasPrefix(line, "@") {
					n++
				}
				lines = append(lines, strings.TrimSuffix(line, "\n"))
			}
			if n != p.Lines {
				t.Errorf("%s has %d lines and says %d", p.ID, n, p.Lines)
			}
		}
		return lines, l
	}
	return nil, logIndex{}
}

type logIndex struct {
	Job, Lines int
	Pieces     []struct {
		ID           string
		First, Lines int
	}
	Gap *struct {
		First, Lines int
		Bytes        int64
	}
}

// TestLines: chunks that are cut anywhere become the lines that they are, each
// with its stream and time.
func TestLines(t *testing.T) {
	m := hostileRun()
	job := m.past(0).Run.Jobs[0].ID
	m.logs[job] = []chunk{
		{event.Stdout, 100, "one\ntw"}, {event.Stderr, 200, "err"}, {event.Stdout, 300, "o\n\n"}, {event.Stderr, 400, "or\n@9\n"},
		{event.Host, 500, strings.Repeat("x", 8190) + "é" + "y\n"}, {event.Stdout, 500, "no end"},
	}
	got, _ := unpacked(t, written(t, m.run()), 0)
	want := []string{"@100", "oone", "@300", "otwo", "o", "@400", "eerror", "e@9", "@500", "h" + strings.Repeat("x", 8190) + "é", "hy", "ono end"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %.300q\nwant %.300q", got, want)
	}
}

// TestLongLog: of a log that is too long the middle is left out, and said so.
func TestLongLog(t *testing.T) {
	m := hostileRun()
	job := m.past(0).Run.Jobs[0].ID
	line := strings.Repeat("0123456789", 100) + "\n"
	m.logs[job] = nil
	for range 40 {
		m.logs[job] = append(m.logs[job], chunk{event.Stdout, 1, strings.Repeat(line, 100)})
	}
	m.logs[job] = append(m.logs[job], chunk{event.Stdout, 1, "the end\n"})
	page := writtenOf(t, m.run(), 8, 100)
	lines, index := unpacked(t, page, 0)
	if index.Lines != 4001 || index.Gap == nil || len(index.Pieces) != 8 {
		t.Fatalf("lines %d, gap %v, pieces %d", index.Lines, index.Gap, len(index.Pieces))
	}
	kept := 0
	next := 1
	for _, p := range index.Pieces {
		if p.First == index.Gap.First+index.Gap.Lines {
			next += index.Gap.Lines
		}
		if p.First != next {
			t.Errorf("%s begins at line %d, want %d", p.ID, p.First, next)
		}
		next += p.Lines
		kept += p.Lines
	}
	if kept+index.Gap.Lines != index.Lines || lines[len(lines)-1] != "othe end" {
		t.Errorf("%d lines kept and %d left out of %d; the last is %.40q", kept, index.Gap.Lines, index.Lines, lines[len(lines)-1])
	}
	if want := int64(index.Gap.Lines) * 1001; index.Gap.Bytes < want || index.Gap.Bytes > want+want/100 {
		t.Errorf("%d bytes left out, want about %d", index.Gap.Bytes, want)
	}
}

// TestManyLogs: all logs together have a ceiling, and a failed job's is whole.
func TestManyLogs(t *testing.T) {
	m := bigRun(22, 1000) // of which job-019 failed
	big := []chunk{{event.Stdout, 1, strings.Repeat(strings.Repeat("0123456789", 100)+"\n", 1024)}}
	for i := range 22 {
		m.logs[fmt.Sprintf("job-%03d", i)] = big
	}
	page := writtenOf(t, m.run(), 3, 12)
	var all []logIndex
	if err := json.Unmarshal(element(t, page, "logs"), &all); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, l := range all {
		total += len(l.Pieces)
		if l.Job == 19 && len(l.Pieces) != 3 {
			t.Errorf("the failed job %d has %d pieces", l.Job, len(l.Pieces))
		}
		if len(l.Pieces) == 0 {
			t.Errorf("job %d has no piece", l.Job)
		}
	}
	if total > 12+22 {
		t.Errorf("%d pieces in all", total)
	}
}

// TestLogError: a log that can't be read is told of.
func TestLogError(t *testing.T) {
	run := bigRun(20, 1000).run()
	run.Logs = func(job string, _ int64, _ func(event.Stream, time.Time, []byte) error) error {
		if job == "job-013" {
			return errors.New("read it: input/output error")
		}
		return nil
	}
	err := html.Write(io.Discard, run)
	if err == nil || !strings.Contains(err.Error(), "job-013 into the report: read it: input/output error") {
		t.Errorf("error: %v", err)
	}
}

// BenchmarkWrite is a small run, as most are.
func BenchmarkWrite(b *testing.B) {
	m, earlier := theStory()
	run := m.run(earlier...)
	for b.Loop() {
		if err := html.Write(io.Discard, run); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWriteManyJobs is a run of 5,000 jobs, each with a line of log.
func BenchmarkWriteManyJobs(b *testing.B) {
	run := bigRun(5000, 100).run()
	for b.Loop() {
		if err := html.Write(io.Discard, run); err != nil {
			b.Fatal(err)
		}
	}
}
