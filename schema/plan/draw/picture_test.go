package draw

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/schema/plan"
)

// TestPicture: every node has one box, none lies on another, all lie within
// the picture, and each edge that is drawn leads from box to box.
func TestPicture(t *testing.T) {
	eachRandom(t, func(t *testing.T, p *plan.Plan) {
		g := New(p)
		pic := g.Picture()
		at := map[string]Box{}
		for i, b := range pic.Boxes {
			if _, twice := at[b.Node]; twice {
				t.Errorf("%s has two boxes", b.Node)
			}
			at[b.Node] = b
			if b.X < 0 || b.Y < 0 || b.X+b.Width > pic.Width || b.Y+b.Height > pic.Height {
				t.Errorf("%s lies outside of the picture", b.Node)
			}
			for _, o := range pic.Boxes[:i] {
				if b.X < o.X+o.Width && o.X < b.X+b.Width && b.Y < o.Y+o.Height && o.Y < b.Y+b.Height {
					t.Errorf("%s lies on %s", b.Node, o.Node)
				}
			}
		}
		if len(at) != len(g.Nodes) {
			t.Errorf("%d boxes for %d nodes", len(at), len(g.Nodes))
		}
		arrows := map[string]bool{}
		for _, l := range pic.Lines {
			from := at[l.From]
			if begin := fmt.Sprintf("M%.0f %.0f", from.X+from.Width, from.Y+boxHeight/2); l.Arrow && len(l.To) != 1 || !l.Arrow && len(l.To) == 0 {
				t.Errorf("a line from %s leads to %v", l.From, l.To)
			} else if slices.ContainsFunc(pic.Lines, func(o Line) bool { return o.From == l.From && strings.HasPrefix(o.Path, begin) }) {
				// One of the lines begins at the box.
			} else {
				t.Errorf("no line begins at the box of %s", l.From)
			}
			if l.Arrow {
				arrows[l.From+" "+l.To[0]] = true
				if to := at[l.To[0]]; !strings.HasSuffix(l.Path, fmt.Sprintf("H%.0f", to.X-6)) {
					t.Errorf("the line %s does not end at %s", l.Path, l.To[0])
				}
			}
		}
		for _, e := range g.Edges {
			inside := at[e.From].Height < boxHeight && at[e.To].Height == boxHeight
			if !e.Implied && !inside && !arrows[e.From+" "+e.To] {
				t.Errorf("no arrow leads from %s to %s", e.From, e.To)
			}
		}
	})
}
