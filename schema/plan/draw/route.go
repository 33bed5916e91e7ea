package draw

import (
	"cmp"
	"slices"
)

// The distances of columns and gutters, in pixels.
const (
	gutterMargin = 16.0
	trackGap     = 8.0
	headWidth    = 14.0
)

// net is the edges that leave one cell: one line down the gutter, with a branch
// to each cell that waits.
type net struct {
	from *cell
	// low and high are the heights between which the line runs.
	low, high float64
	track     int
}

func (n *net) straight() bool { return n.high-n.low < 1 }

// route gives the nets of each gutter a track: nets on one track don't meet.
// Cells know their heights in the picture by now.
func route(bands []*band) (byCell map[*cell]*net, tracks []int) {
	var gutters [][]*net
	byCell = map[*cell]*net{}
	for _, b := range bands {
		for i, column := range b.columns {
			for len(gutters) <= i {
				gutters = append(gutters, nil)
			}
			for _, c := range column {
				if len(c.out) == 0 {
					continue
				}
				n := &net{from: c, low: c.y(), high: c.y()}
				for _, to := range c.out {
					n.low, n.high = min(n.low, to.y()), max(n.high, to.y())
				}
				gutters[i] = append(gutters[i], n)
				byCell[c] = n
			}
		}
	}
	for _, nets := range gutters {
		tracks = append(tracks, assign(nets))
	}
	return byCell, tracks
}

// assign gives nets tracks from the left, the shortest first, so that the long
// lines of what lanes share run outside of the lanes' own.
func assign(nets []*net) int {
	slices.SortStableFunc(nets, func(a, b *net) int {
		return cmp.Or(cmp.Compare(a.high-a.low, b.high-b.low), cmp.Compare(a.low, b.low))
	})
	var tracks [][]*net
	for _, n := range nets {
		if n.straight() {
			continue
		}
		i := 0
		for i < len(tracks) && slices.ContainsFunc(tracks[i], func(o *net) bool {
			return n.low <= o.high+trackGap && o.low <= n.high+trackGap
		}) {
			i++
		}
		if i == len(tracks) {
			tracks = append(tracks, nil)
		}
		tracks[i] = append(tracks[i], n)
		n.track = i
	}
	return len(tracks)
}
