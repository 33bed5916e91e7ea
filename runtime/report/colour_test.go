package report

import (
	"regexp"
	"testing"
)

func TestColours(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b[31mred":                         "\x1b[31mred\x1b[m",
		"\x1b[mplain":                         "\x1b[mplain",
		"\x1b[31mred\x1b[0m":                  "\x1b[31mred\x1b[0m",
		"\x1b[1;38;5;9mx":                     "\x1b[1;38;5;9mx\x1b[m",
		"\x1b[48;2;1;2;255mx":                 "\x1b[48;2;1;2;255mx\x1b[m",
		"\x1b[38;5;999mx\x1b[38mx":            "xx",
		"\x1b[8mhidden\x1b[5;1mx":             "hidden\x1b[1mx\x1b[m",
		"\x1b[38:2:1:2:3mx":                   "x",
		"\x1b[?31mx\x1b[>4;2mx\x1b[31 mx":     "xxx",
		"\x1b[2Jx\x1b[Hx\x1b]8;;http://a\x07": "xx",
		"\x1b[-1mx\x1b[000000031mx":           "xx",
		"\x1b[31":                             "",
		"\x1b[31;\x1b[0mx":                    "0mx",
	} {
		if got := cleanBut([]byte(in), sgr); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

// FuzzColours: whatever a guest writes, nothing but colours is an escape
// sequence, and they end with the line.
func FuzzColours(f *testing.F) {
	f.Add([]byte("\x1b[31mred\x1b[0m \x1b[8mhidden\x1b]0;t\x07\x1b[38;5;"))
	f.Add([]byte("\x9b31m\xc2\x9b31m\x1b\x1b[m\u202e"))
	colours := regexp.MustCompile("\x1b\\[[0-9;]*m")
	f.Fuzz(func(t *testing.T, line []byte) {
		got := cleanBut(line, sgr)
		rest := colours.ReplaceAllString(got, "")
		if clean([]byte(rest)) != rest {
			t.Errorf("%q is shown as %q", line, got)
		}
		if all := colours.FindAllString(got, -1); len(all) > 0 {
			if last := all[len(all)-1]; last != "\x1b[m" && last != "\x1b[0m" {
				t.Errorf("%q is shown as %q: its colours have no end", line, got)
			}
		}
	})
}
