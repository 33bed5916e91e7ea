package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// What a summary shows at most: a CI takes no page of any length.
const (
	maxSummaryJobs  = 500
	maxSummaryLogs  = 10
	maxSummaryLine  = 300 // characters
	maxSummaryLines = 20
)

// Markdown writes the run as a page for a CI's step summary: the table of jobs,
// and the last lines of those that failed. The plan may be nil.
func Markdown(w io.Writer, past record.Past, p *plan.Plan, ends LogEnds) error {
	r := past.Run
	lanes := lanesOf(r, p)
	var b strings.Builder
	verdict := string(r.Verdict)
	if r.FinishedAt == nil {
		verdict = string(stateOf(past))
	}
	fmt.Fprintf(&b, "## %s pikaci: %s\n\n", mark(r.Verdict), verdict)
	fmt.Fprintf(&b, "Run `%s`, %s", r.ID, seconds(r.DurationMS))
	if r.Reason != "" {
		fmt.Fprintf(&b, ": %s", inMarkdown(r.Reason))
	}
	b.WriteString("\n\n")
	if !r.PrepareOnly {
		b.WriteString("| | lane | job | time | why |\n|---|---|---|---|---|\n")
		for i, j := range r.Jobs {
			if i == maxSummaryJobs {
				fmt.Fprintf(&b, "| | | and %d more | | |\n", len(r.Jobs)-i)
				break
			}
			fmt.Fprintf(&b, "| %s %s | %s | %s | %s | %s |\n", mark(j.Verdict), orDash(string(j.Verdict)), inMarkdown(lanes[j.ID]),
				inMarkdown(j.ID), seconds(j.DurationMS), inMarkdown(why(j.Outcome)))
		}
	}
	for _, n := range r.Nodes {
		if n.Verdict == event.Failed && !strings.HasPrefix(n.ID, plan.ExecuteID("")) {
			fmt.Fprintf(&b, "\n%s %s: %s\n", mark(n.Verdict), inMarkdown(n.ID), inMarkdown(why(n.Outcome)))
		}
	}
	summaryLogs(&b, r, ends)
	for _, l := range r.Left {
		fmt.Fprintf(&b, "\n**Left behind:** %s; remove it with `%s`\n", inMarkdown(l.Name), strings.ReplaceAll(oneLine(l.Command), "`", "'"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// summaryLogs folds the last lines of what failed away, each under its job.
func summaryLogs(b *strings.Builder, r record.Run, ends LogEnds) {
	shown := 0
	for _, j := range r.Jobs {
		if j.Verdict != event.Failed {
			continue
		}
		if shown++; shown > maxSummaryLogs {
			b.WriteString("\nThe logs of more jobs that failed are in the record.\n")
			return
		}
		last := ends(j.ID, event.Stdout, event.Stderr)
		if len(last) == 0 {
			last = ends(j.ID, event.Host)
		}
		if len(last) == 0 {
			continue
		}
		last = last[max(0, len(last)-maxSummaryLines):]
		longest := 2
		for i, line := range last {
			last[i] = cut(clean([]byte(line)), maxSummaryLine)
			longest = max(longest, ticks(last[i]))
		}
		// No line can end a fence that is longer than all in it.
		fence := strings.Repeat("`", longest+1)
		fmt.Fprintf(b, "\n<details><summary>the last lines of %s</summary>\n\n%stext\n%s\n%s\n\n</details>\n",
			inMarkdown(j.ID), fence, strings.Join(last, "\n"), fence)
	}
}

// mark is a verdict at a glance.
func mark(v event.Verdict) string {
	switch v {
	case event.Passed, event.Cached:
		return "✅"
	case event.Failed:
		return "❌"
	}
	return "⚪"
}

// inMarkdown is a text on one line that Markdown and HTML take as text.
func inMarkdown(s string) string {
	var b strings.Builder
	for _, r := range cut(oneLine(s), maxSummaryLine) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '@', r == '#': // would call people, or name issues
			fmt.Fprintf(&b, "&#%d;", r)
		case strings.ContainsRune("\\`*_{}[]|~!$", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(b.String(), "://", ":&#47;&#47;") // no link of a guest's
}

// ticks is the length of the longest run of backquotes.
func ticks(s string) int {
	longest, n := 0, 0
	for _, r := range s {
		if r != '`' {
			n = 0
			continue
		}
		n++
		longest = max(longest, n)
	}
	return longest
}

// cut is a text of at most n characters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
