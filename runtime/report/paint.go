package report

import (
	"strings"

	"github.com/sledtools/pikaci/runtime/event"
)

// Paint says whether verdicts have colours.
type Paint bool

// Verdict is a text in the colour of a verdict; the usual one where it is none.
// All colours take the same number of bytes: columns stay in line.
func (p Paint) Verdict(v event.Verdict, text string) string {
	if !p {
		return text
	}
	colour := "39"
	switch v {
	case event.Passed:
		colour = "32"
	case event.Failed:
		colour = "31"
	case event.Cached:
		colour = "36"
	case event.Cancelled, event.Skipped:
		colour = "33"
	}
	return "\x1b[" + colour + "m" + text + reset
}

// region is a line of the live region, of which the number of failed jobs, that
// ends the headline, is what nobody should miss.
func (p Paint) region(line string) string {
	if i := strings.LastIndex(line, "  "); i >= 0 && strings.HasSuffix(line, " failed") {
		return line[:i+2] + p.Verdict(event.Failed, line[i+2:])
	}
	return line
}
