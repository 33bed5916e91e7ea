package draw

import (
	"fmt"
	"strconv"
	"strings"
)

func number(n int) string { return strconv.Itoa(n) }

// Dot gives the graph for Graphviz: lanes are clusters, shared builds have a
// double line, the critical path a thick one.
func (g *Graph) Dot() string {
	var b strings.Builder
	b.WriteString("digraph plan {\n\trankdir=LR\n\tnode [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fillcolor=white]\n")
	for i, group := range g.groups() {
		fmt.Fprintf(&b, "\tsubgraph cluster_%d {\n\t\tlabel=%s\n", i, dotText(group.Title))
		for _, n := range group.nodes {
			fmt.Fprintf(&b, "\t\t%s [label=%s, fillcolor=%q", dotText(n.ID), dotText(n.ID+"\n"+n.Label), colours(n.Kind).fill)
			if n.Shared {
				b.WriteString(", peripheries=2")
			}
			if n.Critical {
				b.WriteString(", penwidth=3, color=\"" + critical + "\"")
			}
			b.WriteString("]\n")
		}
		b.WriteString("\t}\n")
	}
	for _, e := range g.Edges {
		if e.Implied {
			continue
		}
		fmt.Fprintf(&b, "\t%s -> %s", dotText(e.From), dotText(e.To))
		if e.Critical {
			b.WriteString(" [penwidth=3, color=\"" + critical + "\"]")
		}
		b.WriteString("\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// dotText quotes a text for Graphviz; a backslash stands for itself.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", " ").Replace(s) + `"`
}

// Mermaid gives the graph as a flowchart, as review pages and READMEs draw it.
// Its nodes are numbered: ids of Mermaid may not hold all that ours may.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	names := map[string]string{}
	classes := map[string][]string{}
	for i, group := range g.groups() {
		fmt.Fprintf(&b, "    subgraph g%d[\"%s\"]\n", i, mermaidText(group.Title))
		for _, n := range group.nodes {
			name := "n" + number(len(names))
			names[n.ID] = name
			left, right := `["`, `"]`
			if n.Shared {
				left, right = `[["`, `"]]`
			} else if n.Kind == Instance {
				left, right = `(["`, `"])`
			}
			fmt.Fprintf(&b, "        %s%s%s%s\n", name, left, mermaidText(n.ID), right)
			classes[string(n.Kind)] = append(classes[string(n.Kind)], name)
			if n.Critical {
				classes["critical"] = append(classes["critical"], name)
			}
		}
		b.WriteString("    end\n")
	}
	var thick []string
	drawn := 0
	for _, e := range g.Edges {
		if e.Implied {
			continue
		}
		fmt.Fprintf(&b, "    %s --> %s\n", names[e.From], names[e.To])
		if e.Critical {
			thick = append(thick, number(drawn))
		}
		drawn++
	}
	for _, k := range []Kind{Build, Instance, Guest, Host} {
		c := colours(k)
		mermaidClass(&b, string(k), fmt.Sprintf("fill:%s,stroke:%s,color:#1f2328", c.fill, c.line), classes[string(k)])
	}
	mermaidClass(&b, "critical", "stroke:"+critical+",stroke-width:3px", classes["critical"])
	if len(thick) > 0 {
		fmt.Fprintf(&b, "    linkStyle %s stroke:%s,stroke-width:3px\n", strings.Join(thick, ","), critical)
	}
	return b.String()
}

func mermaidClass(b *strings.Builder, name, style string, nodes []string) {
	if len(nodes) > 0 {
		fmt.Fprintf(b, "    classDef %s %s\n    class %s %s\n", name, style, strings.Join(nodes, ","), name)
	}
}

// mermaidText spells out what would end a quoted text or be read as markup.
func mermaidText(s string) string {
	return strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "#", "#35;", "`", "#96;", "\n", " ", "\r", " ").Replace(s)
}
