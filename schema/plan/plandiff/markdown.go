package plandiff

import (
	"fmt"
	"strings"
)

// maxOpen is how many entries a list of the Markdown shows unfolded: a review
// comment is read between others.
const maxOpen = 15

// Markdown gives the difference as a comment for a review page, with a final
// newline. Names and values stand in code spans, so that what they hold is
// text there too.
func (d *Diff) Markdown() string {
	var m markdown
	if d.Empty() {
		m.b.WriteString("**The plan's graph is the same.**\n")
		return m.b.String()
	}
	fmt.Fprintf(&m.b, "**Changes of the plan:** %s\n", d.summary())
	var list []string
	for _, f := range d.Plan {
		list = append(list, "- "+fieldSpan(f))
	}
	for _, part := range []struct {
		kind  string
		items []Item
	}{{"lane", d.Lanes}, {"job", d.Jobs}, {"payload", d.Payloads}, {"node", d.Nodes}} {
		list = append(list, markdownItems(part.kind, part.items)...)
	}
	m.list("", list)
	m.again("To build", d.Build)
	m.again("To run", d.Run)
	return m.b.String()
}

// summary counts what changed: "1 job added, 2 payloads changed".
func (d *Diff) summary() string {
	var parts []string
	for _, part := range []struct {
		kind  string
		items []Item
	}{{"lane", d.Lanes}, {"job", d.Jobs}, {"payload", d.Payloads}, {"node", d.Nodes}} {
		for _, change := range []Change{Added, Removed, Changed} {
			n := 0
			for _, item := range part.items {
				if item.Change == change && !item.Implied {
					n++
				}
			}
			if n > 0 {
				parts = append(parts, fmt.Sprintf("%s %s", counted(n, part.kind), change))
			}
		}
	}
	switch {
	case d.Reordered:
		return "the order alone"
	case len(parts) == 0:
		return counted(len(d.Plan), "setting") + " of the whole plan"
	}
	return strings.Join(parts, ", ")
}

func counted(n int, kind string) string {
	if n == 1 {
		return "1 " + kind
	}
	return fmt.Sprintf("%d %ss", n, kind)
}

type markdown struct{ b strings.Builder }

// list writes a list under a head; a long one is folded. Entries may have
// lines of their own.
func (m *markdown) list(head string, entries []string) {
	if len(entries) == 0 {
		return
	}
	if len(entries) <= maxOpen {
		if head != "" {
			fmt.Fprintf(&m.b, "\n**%s:** %d\n", head, len(entries))
		}
		fmt.Fprintf(&m.b, "\n%s\n", strings.Join(entries, "\n"))
		return
	}
	if head == "" {
		head = "All changes"
	}
	fmt.Fprintf(&m.b, "\n<details><summary><b>%s:</b> %d</summary>\n\n%s\n\n</details>\n", head, len(entries), strings.Join(entries, "\n"))
}

func (m *markdown) again(head string, all []Again) {
	var list []string
	for _, a := range all {
		entry := "- " + span(a.ID)
		if a.Installable != "" {
			entry = "- " + span(a.Installable) + " for " + spans(a.Jobs)
		} else {
			entry += ": " + spans(a.Why)
		}
		list = append(list, entry)
	}
	m.list(head, list)
}

func markdownItems(kind string, all []Item) []string {
	var out []string
	for _, g := range grouped(all) {
		first := g[0]
		entry := fmt.Sprintf("- %s %s", kind, span(first.ID))
		switch {
		case len(g) > 1:
			entry = fmt.Sprintf("- %d %ss %s", len(g), kind, spans(ids(g)))
		case first.Lane != "":
			entry += " of lane " + span(first.Lane)
		}
		entry += " " + string(first.Change)
		if first.Change != Changed && first.Label != "" {
			entry += ": " + span(first.Label)
		}
		for _, f := range first.Fields {
			entry += "\n  - " + fieldSpan(f)
		}
		out = append(out, entry)
	}
	return out
}

func fieldSpan(f Field) string { return span(f.String()) }

func spans(all []string) string {
	var out []string
	for i, s := range all {
		if i == maxNames {
			return fmt.Sprintf("%s and %d more", strings.Join(out, ", "), len(all)-i)
		}
		out = append(out, span(s))
	}
	return strings.Join(out, ", ")
}

// span is text as a code span: in as many backticks as it needs, on one line.
func span(s string) string {
	s = strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(s)
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || s == "" {
		s = " " + s + " "
	}
	return fence + s + fence
}
