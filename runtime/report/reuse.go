package report

import (
	"fmt"
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
	case len(l.Differs) == 1:
		return fmt.Sprintf("ran, because %s differs from that of the pass in run %s", l.Differs[0], l.Run)
	case len(l.Differs) > 1:
		last := len(l.Differs) - 1
		return fmt.Sprintf("ran, because %s and %s differ from those of the pass in run %s",
			strings.Join(l.Differs[:last], ", "), l.Differs[last], l.Run)
	}
	return "ran: " + oneLine(l.Reason)
}
