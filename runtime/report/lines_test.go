package report_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/report"
)

// human is what a person sees of the chunks of one log.
func human(t testing.TB, chunks ...string) []string {
	t.Helper()
	var b bytes.Buffer
	h := report.NewHuman(&b, false)
	for _, c := range chunks {
		if err := h.Output("j", event.Stdout, []byte(c)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(b.String(), "\n")
	for i, line := range lines[:len(lines)-1] {
		lines[i] = strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "j │ ")
	}
	return lines[:len(lines)-1]
}

func TestLongLinesAreShownInPieces(t *testing.T) {
	for name, char := range map[string]string{"ASCII": "x", "two bytes": "ü", "three bytes": "日", "four bytes": "😀"} {
		text := "a" + strings.Repeat(char, 100_000)
		lines := human(t, text)
		if len(lines) < len(text)/8192 || len(lines) > len(text)/8192+2 || strings.Join(lines, "") != text {
			t.Errorf("%s: %d lines, %d bytes of %d", name, len(lines), len(strings.Join(lines, "")), len(text))
		}
		for i, line := range lines {
			if len(line) > 8192 || !utf8.ValidString(line) {
				t.Errorf("%s: line %d has %d bytes", name, i, len(line))
			}
		}
	}
	if lines := human(t, strings.Repeat("x", 8192), "\n", strings.Repeat("y", 8191), "y\nz"); len(lines) != 3 || lines[2] != "z" {
		t.Errorf("at the very limit: %d lines", len(lines))
	}
	if lines := human(t, strings.Repeat("\x80", 20_000)); len(lines) != 3 {
		t.Errorf("nothing but ends of characters: %d lines", len(lines))
	}
}

// TestLinesWhateverTheCuts: a log looks the same however its chunks are cut,
// and is safe for a terminal.
func TestLinesWhateverTheCuts(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "日", "\n", "\r", "\r\n", "\t", "\x1b[1m", "\x1b]0;t\x07", "\x1b", "\x9b", "\u009b",
		"\xff", "\x00", "\u202e", "b c", "\x1bP", "\x1b\\", strings.Repeat("x", 5000)})
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(rt, "text"), "")
		at := rapid.IntRange(0, len(text)).Draw(rt, "cut")
		whole, cut := human(t, text), human(t, text[:at], text[at:])
		if strings.Join(whole, "\n") != strings.Join(cut, "\n") {
			rt.Fatalf("whole %q\ncut %q", whole, cut)
		}
		for _, line := range whole {
			for _, r := range line {
				if r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
					rt.Fatalf("%q holds %q", line, r)
				}
			}
			if !utf8.ValidString(line) {
				rt.Fatalf("%q", line)
			}
		}
	})
}

// TestLogsAreNotMixed: lines of two logs that are written by turns stay whole.
func TestLogsAreNotMixed(t *testing.T) {
	var b bytes.Buffer
	h := report.NewHuman(&b, false)
	for _, c := range "ab\ncd" {
		for _, job := range []string{"j2", "j1"} {
			h.Output(job, event.Stdout, []byte(string(c)))
			h.Output(job, event.Stderr, []byte(strings.ToUpper(string(c))))
		}
	}
	h.Close()
	want := "j2 │ ab\nj2 ┊ AB\nj1 │ ab\nj1 ┊ AB\nj1 ┊ CD\nj1 │ cd\nj2 ┊ CD\nj2 │ cd\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestReadersTellThatNobodyReads(t *testing.T) {
	gone := errors.New("broken pipe")
	finished := event.Event{RunFinished: &event.RunFinished{}}
	for name, r := range map[string]report.Reader{
		"human": report.NewHuman(failingWriter{gone}, false), "jsonl": report.NewJSONL(failingWriter{gone}),
	} {
		if err := r.Output("j", event.Stdout, []byte("no end")); err != nil {
			t.Errorf("%s: nothing was written yet: %v", name, err)
		}
		for what, err := range map[string]error{
			"event": r.Event(finished), "output": r.Output("j", event.Stdout, []byte("x\n")),
			"missed": r.Missed("j", event.Stdout, 1),
		} {
			if !errors.Is(err, gone) {
				t.Errorf("%s: %s: got %v", name, what, err)
			}
		}
	}
}
