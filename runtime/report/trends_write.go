package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTrends writes them for a person: of each lane a table of its jobs, one
// of its payloads, and on which inputs a job was flaky.
func WriteTrends(w io.Writer, t Trends, sparks Sparks) error {
	var b strings.Builder
	for i, l := range t.Lanes {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "lane %s: %s\n", oneLine(l.Lane), tallied(l.Tally))
		l.writeJobs(&b, sparks)
		l.writePayloads(&b, sparks)
		for _, j := range l.Jobs {
			for _, f := range j.Flaky {
				fmt.Fprintf(&b, "  flaky: %s on %s: failed in %s, passed in %s\n", oneLine(j.Job), inputName(f), someRuns(f.Failed), someRuns(f.Passed))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (l *LaneTrend) writeJobs(b *strings.Builder, sparks Sparks) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  JOB\tPASSED\tFLAKY\tUSUAL\tRANGE\tLAST\tTREND")
	row := func(name, flaky string, y *Tally) {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(name), share(y.Passed, y.Passed+y.Failed), flaky,
			orNone(y.UsualMS), fromTo(y.LeastMS, y.MostMS), orNone(y.LastMS), orDash(sparks.Draw(y.durations())))
	}
	if len(l.Jobs) != 1 {
		row("(the lane)", "-", &l.Tally)
	}
	for i := range l.Jobs {
		j := &l.Jobs[i]
		flaky := "-"
		if len(j.Flaky) > 0 {
			flaky = fmt.Sprintf("%d of %d", len(j.Flaky), j.Inputs)
		}
		row(j.Job, flaky, &j.Tally)
	}
	t.Flush()
}

func (l *LaneTrend) writePayloads(b *strings.Builder, sparks Sparks) {
	if len(l.Payloads) == 0 {
		return
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  PAYLOAD\tUSUAL\tRANGE\tLAST\tTREND")
	for _, p := range l.Payloads {
		between := "-"
		if p.LeastBytes != p.MostBytes {
			between = size(p.LeastBytes) + " - " + size(p.MostBytes)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", oneLine(p.Node), size(p.UsualBytes), between, size(p.LastBytes), sparks.Draw(p.sizes()))
	}
	t.Flush()
}

// tallied is "3 runs: 2 passed, 1 failed".
func tallied(t Tally) string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{t.Passed, "passed"}, {t.Failed, "failed"}, {t.Others, "neither"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return count(len(t.Points), "run") + colon(strings.Join(parts, ", "))
}

// share is a part as percent; none has a share of nothing.
func share(part, all int) string {
	if all == 0 {
		return "-"
	}
	return fmt.Sprintf("%d%%", part*100/all)
}

func orNone(ms *int64) string {
	if ms == nil {
		return "-"
	}
	return seconds(*ms)
}

func fromTo(least, most *int64) string {
	if least == nil || *least == *most {
		return "-"
	}
	return seconds(*least) + " - " + seconds(*most)
}

// inputName names inputs by the beginning of their hash.
func inputName(f FlakyInputs) string {
	if f.Snapshot == "" {
		return "a snapshot that is not known"
	}
	const enough = len("sha256:") + 12
	return "snapshot " + oneLine(f.Snapshot[:min(len(f.Snapshot), enough)])
}

// maxRunsNamed is how many runs a line names.
const maxRunsNamed = 3

func someRuns(ids []string) string {
	if len(ids) <= maxRunsNamed {
		return oneLine(strings.Join(ids, ", "))
	}
	return oneLine(fmt.Sprintf("%s and %d more", strings.Join(ids[len(ids)-maxRunsNamed:], ", "), len(ids)-maxRunsNamed))
}
