package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// columns are the phases of a job that the table shows, in order of time.
var columns = []event.Phase{event.Create, event.Start, event.Workspace, event.Command, event.Artifacts, event.Delete}

// Table writes the end of a run: every job, its verdict, why, how long each
// phase took, then the lanes, then where the record is.
func Table(w io.Writer, r record.Run, p Paint) error {
	if r.PrepareOnly {
		r.Jobs = nil // none has a verdict
	}
	if err := table(w, r, p); err != nil {
		return err
	}
	return ending(w, r, p)
}

// table writes a line for each job.
func table(w io.Writer, r record.Run, paint Paint) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	shown := usedColumns(r)
	if len(r.Jobs) > 0 {
		head := []string{"LANE", "JOB", paint.Verdict("", "VERDICT")}
		for _, c := range shown {
			head = append(head, strings.ToUpper(string(c)))
		}
		fmt.Fprintln(t, strings.Join(append(head, "WHY"), "\t"))
	}
	for _, j := range r.Jobs {
		row := []string{orDash(j.Lane), j.ID, paint.Verdict(j.Verdict, orDash(string(j.Verdict)))}
		for _, c := range shown {
			row = append(row, took(j.Phases, c))
		}
		fmt.Fprintln(t, strings.Join(append(row, orDash(why(j.Outcome))), "\t"))
	}
	return t.Flush()
}

// ending says builds, lanes, verdict and record.
func ending(w io.Writer, r record.Run, paint Paint) error {
	var b strings.Builder
	if len(r.Jobs) > 0 {
		b.WriteString("\n")
	}
	// By id: in order of time the same run would look different each time.
	nodes := slices.SortedFunc(slices.Values(r.Nodes), func(a, b record.NodeRecord) int { return strings.Compare(a.ID, b.ID) })
	for _, n := range nodes {
		for _, p := range n.Phases {
			if p.Phase == event.Build && p.EndedAt != nil {
				fmt.Fprintf(&b, "%s: %s in %s%s\n", n.ID, orDash(string(n.Verdict)), seconds(p.DurationMS), colon(why(n.Outcome)))
			}
		}
	}
	for _, l := range r.Lanes {
		if l.Verdict != "" {
			fmt.Fprintf(&b, "lane %s: %s\n", l.ID, paint.Verdict(l.Verdict, string(l.Verdict)))
		}
	}
	fmt.Fprintf(&b, "run %s: %s in %s%s\n", r.ID, paint.Verdict(r.Verdict, string(r.Verdict)), seconds(r.DurationMS), colon(oneLine(r.Reason)))
	for _, l := range r.Left {
		fmt.Fprintf(&b, "left behind: %s; remove it with: %s\n", l.Name, l.Command)
	}
	writeKept(&b, r)
	fmt.Fprintf(&b, "record: %s\n", r.RunDir)
	_, err := io.WriteString(w, b.String())
	return err
}

// usedColumns are the phases that any job had.
func usedColumns(r record.Run) []event.Phase {
	var used []event.Phase
	for _, c := range columns {
		for _, j := range r.Jobs {
			if took(j.Phases, c) != "-" {
				used = append(used, c)
				break
			}
		}
	}
	return used
}

// took is how long the phases of that name took together; those that never
// ended say nothing.
func took(phases []record.PhaseRecord, name event.Phase) string {
	var ms int64
	found := false
	for _, p := range phases {
		if p.Phase == name && p.EndedAt != nil {
			ms += p.DurationMS
			found = true
		}
	}
	if !found {
		return "-"
	}
	return seconds(ms)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
