package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sledtools/pikaci/runtime/event"
)

// reuse says in a line why a pass of an earlier run stands in for a job, or why
// the job ran; empty where nothing is known of that.
func reuse(l *event.ResultLookedUp, host bool) string {
	switch {
	case l == nil && host:
		return "ran: host jobs do, unless their lane says cache: true"
	case l == nil:
		return ""
	case l.Found:
		return fmt.Sprintf("all %d parts are those of the pass in run %s", len(l.Parts), l.Run)
	case len(l.Differs) == 1 && l.Differs[0] != event.PartReads:
		return fmt.Sprintf("ran, because %s differs from that of the pass in run %s", l.Differs[0], l.Run)
	case len(l.Differs) > 0:
		return fmt.Sprintf("ran, because %s differ from those of the pass in run %s", partNames(l.Differs), l.Run)
	}
	return "ran: " + oneLine(l.Reason)
}

// partNames lists parts in words.
func partNames(parts []string) string {
	words := slices.Clone(parts)
	if i := slices.Index(words, event.PartReads); i >= 0 {
		words[i] = "the files it reads"
	}
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
