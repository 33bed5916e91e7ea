package draw

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// What the picture says in words above its boxes: the legend, and a heading for
// each band. A big picture is seen a part at a time, so the headings tell what
// lines that come from or go out of sight mean.

func (p *picture) legend(g *Graph) {
	x := margin
	say := func(swatch, text string) {
		fmt.Fprintf(&p.b, `<g transform="translate(%.0f 12)">%s<text x="24" y="11">%s</text></g>`+"\n", x, swatch, html.EscapeString(text))
		x += 24 + float64(len(text))*6.2 + 18
	}
	for _, k := range []Kind{Build, Instance, Guest, Host} {
		c := colours(k)
		radius := 3
		if k == Instance {
			radius = 7
		}
		say(fmt.Sprintf(`<rect width="18" height="14" rx="%d" fill="%s" stroke="%s"/>`, radius, c.fill, c.line), string(k))
	}
	c := colours(Build)
	say(fmt.Sprintf(`<rect width="18" height="14" rx="3" fill="%s" stroke="%s"/><rect x="2.5" y="2.5" width="13" height="9" rx="2" fill="none" stroke="%s"/>`, c.fill, c.line, c.line), "shared by lanes")
	// A line of its own: it is the longest entry.
	fmt.Fprintf(&p.b, `<g transform="translate(%.0f 34)"><path d="M0 7H18" stroke="%s" stroke-width="3"/><text x="24" y="11">%s</text></g>`+"\n",
		margin, critical, html.EscapeString(g.criticalPath()))
}

// criticalPath says how long the critical path is, and where to look for it.
func (g *Graph) criticalPath() string {
	seconds, lane := 0, ""
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.Critical {
			seconds += n.Seconds
			// Its last node is a job, which is of one lane.
			lane = n.group()
		}
	}
	of := ""
	if at := slices.IndexFunc(g.Lanes, func(l Lane) bool { return l.ID == lane }); at >= 0 {
		of = " to a job of " + g.Lanes[at].Title
	}
	return fmt.Sprintf("critical path by time limits: %s%s, at most %d s", counted(len(g.Critical), "node"), of, seconds)
}

// heading is the band's title, with what its jobs wait for that lanes share.
// Its outline keeps lines that pass below it from making it hard to read.
func (p *picture) heading(b *band) {
	fmt.Fprintf(&p.b, `<text x="%.0f" y="%.0f" paint-order="stroke" stroke="#f6f8fa" stroke-width="4"><tspan font-size="12" font-weight="600">%s</tspan>`,
		margin+bandPad, b.top+17, html.EscapeString(b.Title))
	for _, r := range b.remarks() {
		fmt.Fprintf(&p.b, `<tspan dx="14" fill="%s">%s</tspan>`, r.colour, html.EscapeString(r.text))
	}
	p.b.WriteString("</text>\n")
}

// remark stands behind a band's title.
type remark struct{ colour, text string }

func (b *band) remarks() []remark {
	var out []remark
	if slices.ContainsFunc(b.nodes, func(n *Node) bool { return n.Critical }) {
		out = append(out, remark{critical, "critical path"})
	}
	if ids := b.waitsForShared(); len(ids) > 0 {
		out = append(out, remark{colours(Build).line, "after " + strings.Join(ids, ", ") + ", which lanes share"})
	}
	return out
}

// wordsWidth is what the texts above the boxes take, in pixels: a picture of few
// boxes is as wide as these.
func (p *picture) wordsWidth(g *Graph) float64 {
	const word, title = 6.2, 8.0
	widest := 2*margin + 24 + word*float64(len([]rune(g.criticalPath())))
	for _, b := range p.bands {
		width := 2*(margin+bandPad) + title*float64(len([]rune(b.Title)))
		for _, r := range b.remarks() {
			width += 14 + word*float64(len([]rune(r.text)))
		}
		widest = max(widest, width)
	}
	return widest
}

// waitsForShared are the ids of the nodes of other bands that edges lead from.
func (b *band) waitsForShared() []string {
	var ids []string
	for _, column := range b.columns {
		for _, c := range column {
			for _, from := range c.in {
				if n := from.node; n != nil && n.Shared && !slices.Contains(b.nodes, n) && !slices.Contains(ids, n.ID) {
					ids = append(ids, n.ID)
				}
			}
		}
	}
	return ids
}
