package plandiff

import (
	"slices"
	"strings"

	"github.com/sledtools/pikaci/schema/plan"
)

// again says what will be built and run for which the old plan's work does not
// stand. It goes by the plans alone: what a change of the sources makes Nix
// build again, Nix knows.
func (c *comparison) again() {
	had := map[string]bool{}
	for i := range c.old.plan.Nodes {
		if b := c.old.plan.Nodes[i].NixBuild; b != nil {
			had[b.Installable] = true
		}
	}
	for i := range c.new.plan.Nodes {
		n := &c.new.plan.Nodes[i]
		if n.NixBuild == nil || had[n.NixBuild.Installable] {
			continue
		}
		// The same installable under two ids is one build.
		had[n.NixBuild.Installable] = true
		why := "new"
		if c.old.nodes[n.ID] != nil {
			why = "installable"
		}
		c.diff.Build = append(c.diff.Build, Again{ID: n.ID, Installable: n.NixBuild.Installable, Jobs: n.Jobs, Why: []string{why}})
	}
	changed := map[string]*Item{}
	for i := range c.diff.Jobs {
		changed[c.diff.Jobs[i].ID] = &c.diff.Jobs[i]
	}
	for i := range c.new.plan.Jobs {
		j := &c.new.plan.Jobs[i]
		if why := c.why(j, changed[j.ID]); len(why) > 0 {
			c.diff.Run = append(c.diff.Run, Again{ID: j.ID, Why: why})
		}
	}
}

// why says what keeps an earlier pass of a job from standing in.
func (c *comparison) why(j *plan.Job, item *Item) []string {
	if c.old.jobs[j.ID] == nil {
		return []string{"new"}
	}
	var out []string
	if item != nil {
		for _, f := range item.Fields {
			if decides(f.Field) {
				out = append(out, f.Field)
			}
		}
	}
	for _, s := range j.StagedPayloads {
		was, is := c.old.nodes[s.PrepareNodeID], c.new.nodes[s.PrepareNodeID]
		if was != nil && is != nil && was.NixBuild != nil && is.NixBuild != nil && *was.NixBuild != *is.NixBuild {
			out = append(out, "payload "+s.Role)
		}
	}
	for _, of := range []struct {
		prefix string
		fields []Field
	}{{"", c.diff.Plan}, {"lane ", c.laneFields(j.Lane)}} {
		for _, f := range of.fields {
			if f.Field == "snapshot.exclude" || f.Field == "host_setup" {
				out = append(out, of.prefix+f.Field)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *comparison) laneFields(id string) []Field {
	for i := range c.diff.Lanes {
		if c.diff.Lanes[i].ID == id {
			return c.diff.Lanes[i].Fields
		}
	}
	return nil
}

// decides reports whether a field of a job has a say in what its command gives:
// not the words about it, nor how long, how often and after what it runs.
func decides(field string) bool {
	name, _, _ := strings.Cut(field, ".")
	return !slices.Contains([]string{"description", "timeout_secs", "silence_secs", "retries", "needs", "cache", "finally"}, name)
}
