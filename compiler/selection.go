package compiler

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/sledtools/pikaci/schema/plan"
)

// selection is what was asked for and what that chooses.
type selection struct {
	asked plan.Selection
	// choices are for the catalogue's lanes, index by index.
	choices []choice
}

type choice struct {
	chosen bool
	reason string
}

// takes says which jobs of a chosen lane are taken.
func (s *selection) takes(l *laneFile) func(job string) bool {
	if s.asked.Job == "" {
		return func(string) bool { return true }
	}
	needed := neededBy(l, s.asked.Job)
	return func(job string) bool { return needed[job] }
}

// everything chooses all lanes, nightly ones too, for the checks.
func everything(c *Catalogue) *selection {
	s := &selection{choices: make([]choice, len(c.lanes))}
	for i := range s.choices {
		s.choices[i].chosen = true
	}
	return s
}

// selectLanes decides of every lane whether it is taken, and why. Lanes that
// are named are taken whatever their trigger; a job that is named alone brings
// its lane; changed paths narrow either down to branch lanes that match.
func (c *Catalogue) selectLanes(sel Select) (*selection, error) {
	switch sel.Trigger {
	case "", plan.Branch, plan.Nightly:
	default:
		return nil, fmt.Errorf("trigger %q: want branch or nightly", sel.Trigger)
	}
	named, err := c.named(sel.Lanes)
	if err != nil {
		return nil, err
	}
	owner, err := c.jobOwner(sel, named)
	if err != nil {
		return nil, err
	}
	s := &selection{asked: plan.Selection{
		Lanes: named, Job: sel.Job, ByPaths: sel.ByPaths, ChangedPaths: []string{},
	}}
	trigger := sel.Trigger
	if trigger == "" {
		trigger = plan.Branch
	}
	if len(named) == 0 && (owner == "" || sel.Trigger != "") {
		s.asked.Trigger = trigger
	}
	if sel.ByPaths {
		s.asked.ChangedPaths = cleanPaths(sel.ChangedPaths)
	}
	for i := range c.lanes {
		l := &c.lanes[i]
		ch := choose(l, &s.asked, owner)
		if ch.chosen && sel.ByPaths {
			ch = matchPaths(l, s.asked.ChangedPaths)
		}
		s.choices = append(s.choices, ch)
	}
	return s, nil
}

// choose decides by name, job and trigger.
func choose(l *laneFile, asked *plan.Selection, owner string) choice {
	switch {
	case owner != "" && l.id != owner:
		return choice{false, fmt.Sprintf("job %s is of lane %s", asked.Job, owner)}
	case len(asked.Lanes) > 0 && !slices.Contains(asked.Lanes, l.id):
		return choice{false, "not named"}
	case len(asked.Lanes) > 0:
		return choice{true, "named"}
	case owner != "":
		return choice{true, "holds job " + asked.Job}
	case l.trigger == asked.Trigger:
		return choice{true, "trigger " + string(l.trigger)}
	case asked.ByPaths && l.trigger == plan.Nightly:
		return choice{false, "nightly lane; changed paths consider branch lanes only"}
	}
	return choice{false, "trigger " + string(l.trigger)}
}

// matchPaths decides by changed paths, and names the first path and glob that
// match.
func matchPaths(l *laneFile, changed []string) choice {
	switch {
	case l.trigger != plan.Branch:
		return choice{false, "nightly lane; changed paths consider branch lanes only"}
	case len(l.paths) == 0:
		return choice{false, "no paths: never chosen by changed paths"}
	}
	for _, p := range changed {
		for _, glob := range l.paths {
			// Globs were validated when the catalogue was checked.
			if doublestar.MatchUnvalidated(glob, p) {
				return choice{true, p + " matches " + glob}
			}
		}
	}
	return choice{false, "no changed path matches"}
}

// cleanPaths gives sorted, slash-separated paths without duplicates, so that
// the order in which git lists them does not reach the plan.
func cleanPaths(paths []string) []string {
	out := []string{}
	for _, p := range paths {
		if p != "" {
			out = append(out, path.Clean(p))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// named turns ids, titles and target ids into ids, sorted.
func (c *Catalogue) named(names []string) ([]string, error) {
	out := []string{}
	for _, name := range names {
		i := slices.IndexFunc(c.lanes, func(l laneFile) bool {
			return name == l.id || name == l.title || (name == l.targetID && name != "")
		})
		if i < 0 {
			return nil, &UnknownNameError{Kind: "lane", Name: name, Nearest: nearest(name, c.laneNames())}
		}
		out = append(out, c.lanes[i].id)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (c *Catalogue) laneNames() []string {
	var out []string
	for i := range c.lanes {
		out = append(out, c.lanes[i].id, c.lanes[i].title)
		if c.lanes[i].targetID != "" {
			out = append(out, c.lanes[i].targetID)
		}
	}
	return out
}

// jobOwner is the lane of the job that was asked for, looked up in the named
// lanes, or in those of the trigger, or in all where neither was given.
func (c *Catalogue) jobOwner(sel Select, named []string) (string, error) {
	if sel.Job == "" {
		return "", nil
	}
	var known []string
	elsewhere := ""
	for i := range c.lanes {
		l := &c.lanes[i]
		asked := len(named) == 0 && (sel.Trigger == "" || l.trigger == sel.Trigger) || slices.Contains(named, l.id)
		for _, j := range l.jobs {
			switch {
			case j.id == sel.Job && asked:
				return l.id, nil
			case j.id == sel.Job:
				elsewhere = l.id
			case asked:
				known = append(known, j.id)
			}
		}
	}
	unknown := &UnknownNameError{Kind: "job", Name: sel.Job, Owner: elsewhere, none: noneOf(sel, named)}
	if elsewhere == "" {
		unknown.Nearest = nearest(sel.Job, known)
	}
	return "", unknown
}

// noneOf says in words that the lanes in which a job was looked for have none;
// empty where that is all lanes.
func noneOf(sel Select, named []string) string {
	switch {
	case len(named) == 1:
		return "lane " + named[0] + " has no"
	case len(named) > 1:
		return "none of the lanes " + strings.Join(named, ", ") + " has a"
	case sel.Trigger != "":
		return "no lane of trigger " + string(sel.Trigger) + " has a"
	}
	return ""
}
