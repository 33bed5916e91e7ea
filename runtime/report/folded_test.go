package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/report"
)

func finished(job string, v event.Verdict) event.Event {
	return event.Event{JobFinished: &event.JobFinished{Job: job, Lane: "a", DurationMS: 1500, Outcome: event.Outcome{Verdict: v}}}
}

func TestFolded(t *testing.T) {
	var b bytes.Buffer
	f := report.NewFolded(&b, "TOKEN", false)
	f.Output("good", event.Stdout, []byte("one\n::error::not mine\n"))
	f.Output("bad", event.Stderr, []byte("::endgroup::\n##[set-env name=A]b\nno end"))
	f.Event(finished("good", event.Passed))
	f.Event(finished("bad", event.Failed))
	f.Event(finished("silent", event.Passed))
	f.Event(event.Event{Artifact: &event.Artifact{Job: "bad", Path: "##[error]x", Refused: "a link"}})
	f.Close()
	want := `::group::passed: good (1.50s)
::stop-commands::TOKEN
│ one
│ ::error::not mine
::TOKEN::
::endgroup::
failed: bad (1.50s)
::stop-commands::TOKEN
┊ ::endgroup::
┊ ##[set-env name=A]b
┊ no end
::TOKEN::
passed: silent (1.50s)
refused: artifact "## [error]x" of bad: a link
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestFoldedTakesNoCommand: outside of what is stopped, the only commands are
// ours, whatever a guest writes and however it is cut.
func TestFoldedTakesNoCommand(t *testing.T) {
	for _, evil := range []string{"::add-mask::x", "\r::error::x", "\n::error::x", "\u2028::error::x", "a\v::error::x", "::TOKEN ::", "  ::group::x", "##[error]x", "\x1b[1m::error::x"} {
		var b bytes.Buffer
		f := report.NewFolded(&b, "TOKEN", false)
		for i := range len(evil) {
			f.Output("j", event.Stdout, []byte(evil[i:i+1]))
		}
		e := finished("j", event.Failed)
		e.JobFinished.Reason = evil
		f.Event(e)
		stopped := false
		for line := range strings.Lines(b.String()) {
			switch line = strings.TrimSpace(line); {
			case line == "::stop-commands::TOKEN":
				stopped = true
			case line == "::TOKEN::":
				stopped = false
			case !stopped && (strings.HasPrefix(line, "::") || strings.Contains(line, "##[")):
				t.Errorf("%q: a command: %q", evil, line)
			}
		}
		if stopped || !strings.Contains(b.String(), "::stop-commands::TOKEN") {
			t.Errorf("%q: %s", evil, b.String())
		}
	}
}

// TestFoldedKeepsTheEnd: a job that says too much costs a bounded memory.
func TestFoldedKeepsTheEnd(t *testing.T) {
	var b bytes.Buffer
	f := report.NewFolded(&b, "TOKEN", false)
	line := strings.Repeat("x", 1023) + "\n"
	for range 3000 {
		f.Output("j", event.Stdout, []byte(line))
	}
	f.Output("j", event.Stdout, []byte("the end\n"))
	f.Event(finished("j", event.Failed))
	if b.Len() > 1<<20+4096 || !strings.Contains(b.String(), "│ the end\n") || !strings.Contains(b.String(), " lines before not shown") {
		t.Errorf("%d bytes, beginning %.200q", b.Len(), b.String())
	}
}
