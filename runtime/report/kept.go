package report

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/record"
)

// writeKept names what was kept, until when, and the commands for it.
func writeKept(b *strings.Builder, r record.Run) {
	for _, k := range r.Kept {
		fmt.Fprintf(b, "kept until %s: %s of job %s; look into it with: pikaci shell %s %s%s\n",
			k.Until.UTC().Format(keptLayout), oneLine(k.Name), oneLine(k.Job), oneLine(r.ID), oneLine(k.Job), stateFlag(r))
	}
	if len(r.Kept) > 0 {
		fmt.Fprintf(b, "remove what is kept with: pikaci gc --run %s --kept%s\n", oneLine(r.ID), stateFlag(r))
	}
}

const keptLayout = "2006-01-02 15:04 UTC"

// stateFlag is the flag by which the run is found, where it does not lie in its
// usual place.
func stateFlag(r record.Run) string {
	root := filepath.Dir(filepath.Dir(r.RunDir))
	if r.RunDir == "" || root == filepath.Join(r.SourceRoot, ".pikaci") {
		return ""
	}
	return " --state-root " + oneLine(root)
}

// KeptFor says until when something is kept, and how long that is.
func KeptFor(until, now time.Time) string {
	left := until.Sub(now)
	if left <= 0 {
		return "kept until " + until.UTC().Format(keptLayout) + ", which is over: it may go at any time"
	}
	return fmt.Sprintf("kept until %s (%s more)", until.UTC().Format(keptLayout), left.Round(time.Minute))
}
