package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
)

// hostile is what a guest prints that wants to break a format.
const hostile = "\x1b[31mred\x1b[0m ]]></failure><script>alert(1)</script> & \x00\x08\ufffe\uffff\xff ````` | @everyone #1 http://x"

// hostileEnds are the last lines of every log.
func hostileEnds(job string, streams ...event.Stream) []string {
	var list []string
	for _, s := range streams {
		list = append(list, fmt.Sprintf("%s of %s", s, job), hostile, strings.Repeat("long ", 70))
	}
	return list
}

// manyPasts are runs of every kind.
func manyPasts() map[string]record.Past {
	bad := pastOf(aPast(), 0)
	for i, o := range []event.Outcome{
		{Verdict: event.Failed, Failure: event.Infra, Reason: hostile},
		{Verdict: event.Cancelled, Reason: hostile + "\nsecond\tline"},
		{Verdict: event.Failed, Failure: event.Timeout, Signal: "SIGKILL", Reason: "not ended after 1 s"},
	} {
		bad.Run.Jobs[i].Outcome = o
	}
	bad.Run.Reason = hostile
	bad.Run.Left = []event.LeaseLeft{{Lease: event.Lease{Name: "i"}, Command: "incus delete `i`"}}
	prepared := pastOf(aPast(), 0)
	prepared.Run.PrepareOnly = true
	prepared.Run.Nodes = prepared.Run.Nodes[:1]
	return map[string]record.Past{"ended": pastOf(aPast(), 0), "going": pastOf(aPast(), 6000), "building": pastOf(aPast(), 2000),
		"begun": pastOf(aPast(), 1), "bad": bad, "prepared": prepared}
}

// junitFile is junit.xml as a strict reader sees it.
type junitFile struct {
	XMLName xml.Name `xml:"testsuites"`
	Tests   int      `xml:"tests,attr"`
	Fails   int      `xml:"failures,attr"`
	Errors  int      `xml:"errors,attr"`
	Skipped int      `xml:"skipped,attr"`
	Suites  []struct {
		Name  string `xml:"name,attr"`
		Tests int    `xml:"tests,attr"`
		Cases []struct {
			Name    string    `xml:"name,attr"`
			Time    float64   `xml:"time,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func TestJUnit(t *testing.T) {
	dir := t.TempDir()
	for name, past := range manyPasts() {
		var b bytes.Buffer
		if err := report.JUnit(&b, past, aPlan(), hostileEnds); err != nil {
			t.Fatal(err)
		}
		golden(t, "junit-"+name+".xml", b.Bytes())
		if err := os.WriteFile(filepath.Join(dir, name+".xml"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(b.String(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' || r == 0xfffe }); i >= 0 {
			t.Errorf("%s: a control character at byte %d", name, i)
		}
		var f junitFile
		if err := xml.Unmarshal(b.Bytes(), &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tests, fails, errors, skipped := 0, 0, 0, 0
		for _, s := range f.Suites {
			tests += len(s.Cases)
			for _, c := range s.Cases {
				for n, there := range map[*int]bool{&fails: c.Failure != nil, &errors: c.Error != nil, &skipped: c.Skipped != nil} {
					if there {
						*n++
					}
				}
			}
		}
		if f.Tests != tests || f.Fails != fails || f.Errors != errors || f.Skipped != skipped {
			t.Errorf("%s: the counts %+v are not those of the cases: %d %d %d %d", name, f, tests, fails, errors, skipped)
		}
	}
	readByOthers(t, dir)
}

// readByOthers holds the files against a reader that is not ours.
func readByOthers(t *testing.T, dir string) {
	const python = "/usr/bin/python3" // Debian's own, which sees its packages
	if exec.Command(python, "-c", "import junitparser").Run() != nil {
		t.Skip("python3-junitparser is not here: scripts/setup installs it")
	}
	out, err := exec.Command(python, "-c", `
import sys, glob, junitparser
for name in sorted(glob.glob(sys.argv[1] + "/*.xml")):
    print(name.rsplit("/", 1)[1])
    for suite in junitparser.JUnitXml.fromfile(name):
        print(" ", suite.name, suite.tests, suite.failures, suite.errors, suite.skipped)
        for case in suite:
            print("   ", case.classname, case.name, case.time, [type(r).__name__ + " " + (r.message or "")[:40] for r in case.result])
`, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("junitparser: %v\n%s", err, out)
	}
	golden(t, "junitparser.golden", out)
}

// traceFile is trace.json as the format's description has it.
type traceFile struct {
	Events []struct {
		Name string         `json:"name"`
		Ph   string         `json:"ph"`
		Ts   *int64         `json:"ts"`
		Dur  *int64         `json:"dur"`
		Pid  *int           `json:"pid"`
		Tid  *int           `json:"tid"`
		Cat  string         `json:"cat"`
		Args map[string]any `json:"args"`
	} `json:"traceEvents"`
	Unit  string         `json:"displayTimeUnit"`
	Other map[string]any `json:"otherData"`
}

// TestTrace holds traces against the Chrome trace format: an object with
// traceEvents; complete events (X) with a start and a duration, that on one
// line lie within or beside each other; metadata (M) that names each track and
// line that is used.
func TestTrace(t *testing.T) {
	for name, past := range manyPasts() {
		var b bytes.Buffer
		if err := report.Trace(&b, past, aPlan()); err != nil {
			t.Fatal(err)
		}
		var indented bytes.Buffer
		json.Indent(&indented, b.Bytes(), "", " ")
		if name == "ended" {
			golden(t, "trace-"+name+".json", indented.Bytes())
		}
		var f traceFile
		d := json.NewDecoder(&b)
		d.DisallowUnknownFields()
		if err := d.Decode(&f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkTrace(t, name, f)
	}
}

func checkTrace(t *testing.T, name string, f traceFile) {
	type line struct{ pid, tid int }
	type slice struct{ from, to int64 }
	named, slices_ := map[line]bool{}, map[line][]slice{}
	if f.Unit != "ms" && f.Unit != "ns" {
		t.Errorf("%s: displayTimeUnit %q", name, f.Unit)
	}
	for _, e := range f.Events {
		if e.Name == "" || e.Ts == nil || *e.Ts < 0 || e.Pid == nil || e.Tid == nil {
			t.Fatalf("%s: an event lacks what each must have: %+v", name, e)
		}
		at := line{*e.Pid, *e.Tid}
		switch {
		case e.Ph == "M" && e.Name == "process_name":
			named[line{*e.Pid, -1}] = e.Args["name"] != ""
		case e.Ph == "M" && e.Name == "thread_name":
			named[at] = e.Args["name"] != ""
		case e.Ph == "M" && (e.Name == "thread_sort_index" || e.Name == "process_sort_index"):
		case e.Ph == "X" && e.Dur != nil && *e.Dur >= 0 && e.Cat != "":
			slices_[at] = append(slices_[at], slice{*e.Ts, *e.Ts + *e.Dur})
		default:
			t.Errorf("%s: an event of no known kind: %+v", name, e)
		}
	}
	for at, list := range slices_ {
		if !named[at] || !named[line{at.pid, -1}] {
			t.Errorf("%s: line %+v has no name", name, at)
		}
		slices.SortStableFunc(list, func(a, b slice) int { return int(a.from-b.from)*2 + int(min(1, max(-1, b.to-a.to))) })
		var open []slice
		for _, s := range list {
			for len(open) > 0 && open[len(open)-1].to <= s.from {
				open = open[:len(open)-1]
			}
			if len(open) > 0 && s.to > open[len(open)-1].to {
				t.Errorf("%s: on line %+v, %+v and %+v overlap", name, at, open[len(open)-1], s)
			}
			open = append(open, s)
		}
	}
	if name == "ended" && len(slices_) < 6 {
		t.Errorf("%s: %d lines, want the run, a build, a slot and three jobs", name, len(slices_))
	}
}

func TestMarkdown(t *testing.T) {
	for name, past := range manyPasts() {
		var b bytes.Buffer
		if err := report.Markdown(&b, past, aPlan(), hostileEnds); err != nil {
			t.Fatal(err)
		}
		golden(t, "summary-"+name+".md", b.Bytes())
		if strings.ContainsFunc(b.String(), func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
			t.Errorf("%s: a control character", name)
		}
		fence := ""
		for line := range strings.Lines(b.String()) {
			ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
			switch {
			case len(ticks) >= 3 && fence == "":
				fence = ticks
			case fence != "" && strings.TrimSpace(line) == fence:
				fence = ""
			case fence == "" && (strings.Contains(line, "<script") || strings.Contains(line, "@") || strings.Contains(line, "http://")):
				t.Errorf("%s: not made harmless: %q", name, line)
			case fence == "" && strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 6:
				t.Errorf("%s: a row of other than five cells: %q", name, line)
			}
		}
		if fence != "" {
			t.Errorf("%s: a fence has no end", name)
		}
	}
}

// TestLongSummary stays within what a CI takes, which is 1 MiB.
func TestLongSummary(t *testing.T) {
	past := pastOf(aPast(), 0)
	job := past.Run.Jobs[1]
	for i := range 5000 {
		job.ID, job.Reason = fmt.Sprintf("job-%d", i), strings.Repeat("|", 5000)
		past.Run.Jobs = append(past.Run.Jobs, job)
	}
	begun := time.Now()
	var b bytes.Buffer
	if err := report.Markdown(&b, past, aPlan(), hostileEnds); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 1<<20 || !strings.Contains(b.String(), "and 4503 more") {
		t.Errorf("%d bytes in %s", b.Len(), time.Since(begun))
	}
}

// TestLongJUnit has the logs of the first that failed, and a case for each.
func TestLongJUnit(t *testing.T) {
	past := pastOf(aPast(), 0)
	job := past.Run.Jobs[1]
	for i := range 1000 {
		job.ID = fmt.Sprintf("job-%d", i)
		past.Run.Jobs = append(past.Run.Jobs, job)
	}
	asked := map[string]bool{}
	var b bytes.Buffer
	err := report.JUnit(&b, past, aPlan(), func(job string, streams ...event.Stream) []string {
		asked[job] = true
		return []string{"line"}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 100 || strings.Count(b.String(), "<testcase ") != 1003 || strings.Count(b.String(), "<failure ") != 1001 {
		t.Errorf("%d jobs have logs, of %d cases %d failed", len(asked), strings.Count(b.String(), "<testcase "), strings.Count(b.String(), "<failure "))
	}
}
