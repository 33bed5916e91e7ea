package draw

import (
	"cmp"
	"slices"
)

// The layout is Sugiyama's, cut down to what plans look like: columns by
// longest path, a band for each lane, order within a column by barycenter,
// edges as right angles in the gutters between columns. A lane's chain of
// builds and its jobs then read from left to right, and what lanes share
// stands once, in a band of its own.

// cell is what takes a place in a column: a node, with the instance that it
// runs in below it, or the bend of an edge that passes by.
type cell struct {
	node, instance *Node
	column         int
	in, out        []*cell
	// critical are the out that the critical path takes.
	critical map[*cell]bool
	// top is in pixels from the top of the band, then of the picture.
	top float64
	// at is the place in its column of its band.
	at int
}

// The sizes of cells, in pixels.
const (
	boxHeight      = 38.0
	instanceHeight = 18.0
	instanceIndent = 18.0
	bendHeight     = 8.0
	cellGap        = 12.0
)

func (c *cell) height() float64 {
	switch {
	case c.node == nil:
		return bendHeight
	case c.instance != nil:
		return boxHeight + instanceHeight
	}
	return boxHeight
}

// port is where edges come and go, from the cell's top.
func (c *cell) port() float64 {
	if c.node == nil {
		return bendHeight / 2
	}
	return boxHeight / 2
}

// y is where edges come and go.
func (c *cell) y() float64 { return c.top + c.port() }

// band is a lane's part of the picture, or that of what lanes share.
type band struct {
	group
	columns [][]*cell
	height  float64
	top     float64
}

// layout places the graph's nodes: bands from the top, each cell in a column
// and at a height of its band.
func (g *Graph) layout() []*band {
	cells := g.cells()
	var bands []*band
	of := map[string]*band{}
	for _, group := range g.groups() {
		b := &band{group: group}
		for _, n := range group.nodes {
			of[n.ID] = b
			if c := cells[n.ID]; c != nil && c.node == n {
				b.put(c)
			}
		}
		bands = append(bands, b)
	}
	g.join(cells, of)
	for _, b := range bands {
		b.order()
		b.place()
	}
	return bands
}

func (b *band) put(c *cell) {
	for len(b.columns) <= c.column {
		b.columns = append(b.columns, nil)
	}
	c.at = len(b.columns[c.column])
	b.columns[c.column] = append(b.columns[c.column], c)
}

// cells makes a cell for each node, in its column. An instance that nothing
// but its job waits for shares the job's cell.
func (g *Graph) cells() map[string]*cell {
	cells := make(map[string]*cell, len(g.Nodes))
	in, out := map[string][]string{}, map[string][]string{}
	for _, e := range g.Edges {
		if !e.Implied {
			in[e.To] = append(in[e.To], e.From)
			out[e.From] = append(out[e.From], e.To)
		}
	}
	below := map[string]*Node{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Kind == Instance && len(in[n.ID]) == 0 && len(out[n.ID]) == 1 {
			below[out[n.ID][0]] = n
			continue
		}
		c := &cell{node: n, instance: below[n.ID], critical: map[*cell]bool{}}
		for _, id := range in[n.ID] {
			if before := cells[id]; before != nil && before.node.ID == id {
				c.column = max(c.column, before.column+1)
			}
		}
		cells[n.ID] = c
		if c.instance != nil {
			cells[c.instance.ID] = c
		}
	}
	return cells
}

// join connects the cells, over bends where columns lie between. Edges of one
// node into one band share their bends.
func (g *Graph) join(cells map[string]*cell, of map[string]*band) {
	type way struct {
		from   *cell
		into   *band
		column int
	}
	bends := map[way]*cell{}
	link := func(a, b *cell, critical bool) {
		if !slices.Contains(a.out, b) {
			a.out, b.in = append(a.out, b), append(b.in, a)
		}
		a.critical[b] = a.critical[b] || critical
	}
	for _, e := range g.Edges {
		from, to := cells[e.From], cells[e.To]
		if e.Implied || from == to {
			continue
		}
		before, into := from, of[e.To]
		for column := from.column + 1; column < to.column; column++ {
			at := way{from, into, column}
			if bends[at] == nil {
				bends[at] = &cell{column: column, critical: map[*cell]bool{}}
				into.put(bends[at])
			}
			link(before, bends[at], e.Critical)
			before = bends[at]
		}
		link(before, to, e.Critical)
	}
}

// sweeps is how often order and heights are improved, each way; more change
// nothing that is seen.
const sweeps = 4

// order sorts each column so that edges cross little; where nothing speaks for
// another order, the plan's stays.
func (b *band) order() {
	mine := map[*cell]bool{}
	for _, column := range b.columns {
		for _, c := range column {
			mine[c] = true
		}
	}
	center := func(of []*cell, otherwise float64) float64 {
		sum, n := 0.0, 0
		for _, c := range of {
			if mine[c] {
				sum += float64(c.at)
				n++
			}
		}
		if n == 0 {
			return otherwise
		}
		return sum / float64(n)
	}
	resort := func(column []*cell, side func(*cell) []*cell) {
		weight := make(map[*cell]float64, len(column))
		for _, c := range column {
			weight[c] = center(side(c), float64(c.at))
		}
		slices.SortStableFunc(column, func(x, y *cell) int { return cmp.Compare(weight[x], weight[y]) })
		for i, c := range column {
			c.at = i
		}
	}
	for range sweeps {
		for _, column := range b.columns {
			resort(column, func(c *cell) []*cell { return c.in })
		}
		for _, column := range slices.Backward(b.columns) {
			resort(column, func(c *cell) []*cell { return c.out })
		}
	}
}

// place gives each cell its height in the band: as near to its neighbours as
// the order and the gaps allow.
func (b *band) place() {
	mine := map[*cell]bool{}
	for _, column := range b.columns {
		top := 0.0
		for _, c := range column {
			mine[c] = true
			c.top = top
			top += c.height() + cellGap
		}
	}
	near := func(column []*cell, side func(*cell) []*cell) {
		wanted := make([]float64, len(column))
		for i, c := range column {
			sum, n := 0.0, 0
			for _, other := range side(c) {
				if mine[other] {
					sum += other.y()
					n++
				}
			}
			wanted[i] = c.top
			if n > 0 {
				wanted[i] = sum/float64(n) - c.port()
			}
		}
		settle(column, wanted)
	}
	for range sweeps {
		for _, column := range b.columns {
			near(column, func(c *cell) []*cell { return c.in })
		}
		for _, column := range slices.Backward(b.columns) {
			near(column, func(c *cell) []*cell { return c.out })
		}
	}
	b.normalize()
}

// settle moves a column's cells as near as may be to where they are wanted,
// without changing the order or closing the gaps: isotonic regression, by
// pooling neighbours that want past each other.
func settle(column []*cell, wanted []float64) {
	type pool struct {
		sum float64
		n   int
	}
	var pools []pool
	offsets := make([]float64, len(column))
	offset := 0.0
	for i, c := range column {
		offsets[i] = offset
		pools = append(pools, pool{wanted[i] - offset, 1})
		for k := len(pools) - 1; k > 0 && pools[k-1].sum/float64(pools[k-1].n) >= pools[k].sum/float64(pools[k].n); k-- {
			pools[k-1].sum += pools[k].sum
			pools[k-1].n += pools[k].n
			pools = pools[:k]
		}
		offset += c.height() + cellGap
	}
	i := 0
	for _, p := range pools {
		for range p.n {
			column[i].top = p.sum/float64(p.n) + offsets[i]
			i++
		}
	}
}

// normalize moves the band's cells to begin at 0, on whole pixels, and straightens
// what is almost straight.
func (b *band) normalize() {
	least, most := 0.0, 0.0
	first := true
	for _, column := range b.columns {
		for _, c := range column {
			if first || c.top < least {
				least = c.top
			}
			if bottom := c.top + c.height(); first || bottom > most {
				most = bottom
			}
			first = false
		}
	}
	for _, column := range b.columns {
		for _, c := range column {
			c.top = float64(int(c.top - least + 0.5))
		}
	}
	b.height = float64(int(most - least + 1))
}
