package draw

import "fmt"

// Picture is a graph laid out, for who draws it by other means than
// [Graph.SVG]: the same places, in pixels.
type Picture struct {
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
	Bands  []Band  `json:"bands"`
	Boxes  []Box   `json:"boxes"`
	Lines  []Line  `json:"lines"`
}

// Band is the ground that a lane's boxes stand on, or those that lanes share.
type Band struct {
	// Lane is empty for what lanes share.
	Lane   string  `json:"lane,omitempty"`
	Title  string  `json:"title"`
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// Box is a node.
type Box struct {
	Node   string  `json:"node"`
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// Line is a part of an edge.
type Line struct {
	// From is the node that it comes from, To those that it leads to.
	From string   `json:"from"`
	To   []string `json:"to"`
	// Path is the d of an SVG path; with Arrow its end is an arrow's head.
	Path  string `json:"path"`
	Arrow bool   `json:"arrow,omitempty"`
}

// Picture lays the graph out without words above it.
func (g *Graph) Picture() *Picture {
	p := &picture{bands: g.layout(), above: margin}
	p.measure()
	out := &Picture{Width: p.width, Height: p.height, Bands: []Band{}, Boxes: []Box{}, Lines: []Line{}}
	for _, b := range p.bands {
		out.Bands = append(out.Bands, Band{Lane: b.ID, Title: b.Title, X: margin, Y: b.top, Width: p.width - 2*margin, Height: bandHead + b.height + bandPad})
		for i, column := range b.columns {
			for _, c := range column {
				p.outline(out, i, c)
			}
		}
	}
	return out
}

// outline adds a cell and the lines that leave it.
func (p *picture) outline(out *Picture, column int, c *cell) {
	x, w := p.left[column], p.wide[column]
	if c.node != nil {
		out.Boxes = append(out.Boxes, Box{c.node.ID, x, c.top, w, boxHeight})
	} else {
		out.Lines = append(out.Lines, Line{From: origin(c).ID, To: ends(c), Path: fmt.Sprintf("M%.0f %.0fH%.0f", x, c.y(), x+w)})
	}
	if c.instance != nil {
		out.Boxes = append(out.Boxes, Box{c.instance.ID, x + instanceIndent, c.top + boxHeight + 2, w - instanceIndent, instanceHeight - 3})
	}
	for _, to := range c.out {
		out.Lines = append(out.Lines, Line{origin(c).ID, ends(to), p.way(column, c, to), to.node != nil})
	}
}

// origin is the node that a cell's lines come from.
func origin(c *cell) *Node {
	for c.node == nil {
		c = c.in[0]
	}
	return c.node
}

// ends are the nodes that a cell's lines lead to, or itself.
func ends(c *cell) []string {
	if c.node != nil {
		return []string{c.node.ID}
	}
	var all []string
	for _, to := range c.out {
		all = append(all, ends(to)...)
	}
	return all
}
