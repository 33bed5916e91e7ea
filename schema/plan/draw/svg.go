package draw

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// critical is the colour of the critical path.
const critical = "#cf222e"

type colour struct{ fill, line string }

func colours(k Kind) colour {
	switch k {
	case Build:
		return colour{"#ddf4ff", "#0969da"}
	case Guest:
		return colour{"#dafbe1", "#1a7f37"}
	case Host:
		return colour{"#fff8c5", "#9a6700"}
	}
	return colour{"#f6f8fa", "#6e7781"}
}

// The sizes of the picture, in pixels. Fonts differ from machine to machine:
// the widths of characters are those of wide ones.
const (
	margin     = 16.0
	legend     = 56.0
	bandHead   = 26.0
	bandPad    = 12.0
	bandGap    = 14.0
	idWidth    = 7.3
	labelWidth = 5.3
	maxID      = 60
	maxLabel   = 80
	minBox     = 220.0
)

// SVG draws the graph. It needs no script, no font and no other file.
func (g *Graph) SVG() string {
	p := &picture{bands: g.layout(), above: legend}
	p.measure()
	p.width = max(p.width, p.wordsWidth(g))
	fmt.Fprintf(&p.b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img" font-family="system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif" font-size="11" fill="#1f2328">`+"\n",
		p.width, p.height, p.width, p.height)
	fmt.Fprintf(&p.b, "<title>%d nodes of %s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n", len(g.Nodes), counted(len(g.Lanes), "lane"))
	p.legend(g)
	for _, b := range p.bands {
		p.background(b)
	}
	// Thick lines lie above thin ones, boxes above both.
	for _, thick := range []bool{false, true} {
		for _, b := range p.bands {
			p.edges(b, thick)
		}
	}
	for _, b := range p.bands {
		p.heading(b)
		for _, column := range b.columns {
			for _, c := range column {
				if c.node != nil {
					p.box(c)
				}
			}
		}
	}
	p.b.WriteString("</svg>\n")
	return p.b.String()
}

// boxWidth is what a node's texts need, within reason.
func boxWidth(n *Node) float64 {
	id, label := min(len([]rune(name(n))), maxID), min(len([]rune(n.Label)), maxLabel)
	return max(float64(id)*idWidth, float64(label)*labelWidth) + 20
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

type picture struct {
	b     strings.Builder
	bands []*band
	// above is the room above the bands.
	above         float64
	width, height float64
	// left and wide are the columns' places and widths.
	left, wide []float64
	nets       map[*cell]*net
}

// measure gives bands, columns and gutters their places.
func (p *picture) measure() {
	y := p.above
	for _, b := range p.bands {
		b.top = y
		for i, column := range b.columns {
			for len(p.wide) <= i {
				p.wide = append(p.wide, minBox)
			}
			for _, c := range column {
				c.top += y + bandHead
				if c.node != nil {
					p.wide[i] = max(p.wide[i], boxWidth(c.node))
				}
			}
		}
		y += bandHead + b.height + bandPad + bandGap
	}
	var tracks []int
	p.nets, tracks = route(p.bands)
	x := margin + bandPad
	for i := range p.wide {
		p.left = append(p.left, x)
		x += p.wide[i]
		if i+1 < len(p.wide) {
			x += 2*gutterMargin + headWidth + float64(max(0, tracks[i]-1))*trackGap
		}
	}
	p.width = max(x+bandPad+margin, 640)
	p.height = y - bandGap + margin
}

func (p *picture) background(b *band) {
	fmt.Fprintf(&p.b, `<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="6" fill="#f6f8fa" stroke="#d0d7de"/>`+"\n",
		margin, b.top, p.width-2*margin, bandHead+b.height+bandPad)
}

// edges draws the lines that leave a band's cells, thin or thick.
func (p *picture) edges(b *band, thick bool) {
	for i, column := range b.columns {
		for _, c := range column {
			for _, to := range c.out {
				if c.critical[to] == thick {
					p.edge(i, c, to, thick)
				}
			}
			if c.node == nil && c.critical[firstOf(c.out)] == thick {
				// The bend itself: across its column.
				p.line(fmt.Sprintf("M%.0f %.0fH%.0f", p.left[i], c.y(), p.left[i]+p.wide[i]), c, thick)
			}
		}
	}
}

func firstOf(cells []*cell) *cell {
	if len(cells) == 0 {
		return nil
	}
	return cells[0]
}

func (p *picture) edge(column int, from, to *cell, thick bool) {
	p.line(p.way(column, from, to), from, thick)
	if to.node == nil {
		return
	}
	stroke, _ := pen(from, thick)
	fmt.Fprintf(&p.b, `<path d="M%.0f %.0fl-8 -4v8z" fill="%s"/>`+"\n", p.left[column+1]-1, to.y(), stroke)
}

// way is the path of an edge through a gutter, to a bend or, with room for an
// arrow's head, to a box.
func (p *picture) way(column int, from, to *cell) string {
	x, y := p.left[column]+p.wide[column], from.y()
	end, down := p.left[column+1], to.y()
	d := fmt.Sprintf("M%.0f %.0f", x, y)
	if math.Abs(down-y) >= 1 {
		turn := x + gutterMargin + float64(p.nets[from].track)*trackGap
		r := min(5, math.Abs(down-y)/2)
		way := r
		if down < y {
			way = -r
		}
		d += fmt.Sprintf("H%.1fQ%.1f %.1f %.1f %.1fV%.1fQ%.1f %.1f %.1f %.1f",
			turn-r, turn, y, turn, y+way, down-way, turn, down, turn+r, down)
	}
	if to.node != nil {
		end -= 6
	}
	return d + fmt.Sprintf("H%.0f", end)
}

func (p *picture) line(d string, from *cell, thick bool) {
	stroke, width := pen(from, thick)
	fmt.Fprintf(&p.b, `<path d="%s" fill="none" stroke="%s" stroke-width="%.2f"/>`+"\n", d, stroke, width)
}

// pen is what an edge is drawn with. Edges of what lanes share pass by other
// lanes: their colour tells them from those lanes' own.
func pen(from *cell, thick bool) (stroke string, width float64) {
	switch {
	case thick:
		return critical, 2.75
	case origin(from).Shared:
		return colours(Build).line, 1.25
	}
	return "#8c959f", 1.25
}

// box draws a node, and below it the instance that it runs in.
func (p *picture) box(c *cell) {
	n, x, w := c.node, p.left[c.column], p.wide[c.column]
	look := colours(n.Kind)
	stroke, width := look.line, 1.0
	if n.Critical {
		stroke, width = critical, 2.5
	}
	if c.instance != nil {
		p.instance(c, x, w)
	}
	fmt.Fprintf(&p.b, `<g><title>%s</title><rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="5" fill="%s" stroke="%s" stroke-width="%.1f"/>`,
		html.EscapeString(told(n)), x, c.top, w, boxHeight, look.fill, stroke, width)
	if n.Shared {
		fmt.Fprintf(&p.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="3" fill="none" stroke="%s"/>`,
			x+3, c.top+3, w-6, boxHeight-6, look.line)
	}
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" font-size="12" font-family="ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',monospace">%s</text>`,
		x+10, c.top+16, html.EscapeString(cut(name(n), maxID)))
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" font-size="10" fill="#57606a">%s</text></g>`+"\n",
		x+10, c.top+30, html.EscapeString(cut(n.Label, int((w-20)/labelWidth+0.5))))
}

func (p *picture) instance(c *cell, x, w float64) {
	look := colours(Instance)
	top := c.top + boxHeight + 2
	fmt.Fprintf(&p.b, `<g><title>%s</title><path d="M%.1f %.1fv6q0 4 4 4h4" fill="none" stroke="#8c959f"/><rect x="%.1f" y="%.1f" width="%.1f" height="15" rx="7" fill="%s" stroke="%s" stroke-width="0.75"/><text x="%.1f" y="%.1f" font-size="9.5" fill="#57606a">%s</text></g>`+"\n",
		html.EscapeString(told(c.instance)), x+10, top-2, x+instanceIndent, top, w-instanceIndent, look.fill, look.line, x+26, top+11,
		html.EscapeString(cut(c.instance.Label, int((w-34)/5.2))))
}

// name is what a box is headed with: the job, or the node that builds.
func name(n *Node) string {
	if n.Job != "" && n.Kind != Instance {
		return n.Job
	}
	return n.ID
}

// told is all that is known of a node, for who points at it.
func told(n *Node) string {
	lines := []string{n.ID, n.Label}
	if n.Seconds > 0 {
		lines = append(lines, fmt.Sprintf("at most %d s", n.Seconds))
	}
	if n.Kind == Build {
		lines = append(lines, "for "+strings.Join(n.Jobs, ", "))
	}
	return strings.Join(lines, "\n")
}

// cut shortens a text in its middle: ids differ at both ends.
func cut(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	head := (most - 1) * 2 / 3
	return string(r[:head]) + "…" + string(r[len(r)-(most-1-head):])
}
