package compiler

import (
	"strconv"

	"github.com/sledtools/pikaci/schema/plan"
)

// Finding is what somebody found wrong with an output of the flake.
type Finding struct{ Message, Hint string }

// Outputs gives mistakes to the payloads of a plan's chosen lanes whose outputs
// were found wrong, by name: a plan is made without looking at the flake.
func (c *Catalogue) Outputs(p *plan.Plan, wrong map[string]Finding) Diagnostics {
	chosen := map[string]bool{}
	for _, l := range p.Lanes {
		chosen[l.ID] = l.Chosen
	}
	k := &checker{c: c, p: c.places}
	for i := range c.lanes {
		l := &c.lanes[i]
		for n, payload := range l.payloads {
			found, isWrong := wrong[payload.outputName]
			if !chosen[l.id] || !isWrong {
				continue
			}
			at := []string{"lanes", l.id, "payloads", strconv.Itoa(n), "output_name"}
			k.fail(k.outputPlace(at, payload.outputName), at, nil, found.Hint, "%s", found.Message)
		}
	}
	return c.places.tree.quote(sorted(k.out))
}

// outputPlace is where the name of an output was written: in its lane, or in the
// template that it comes from.
func (k *checker) outputPlace(at []string, name string) Position {
	if k.p.has(at...) {
		return k.p.at(at...)
	}
	return k.p.text(name, -1, at[:3]...)
}
