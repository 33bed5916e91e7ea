package plandiff

import (
	"slices"
	"strings"

	"github.com/sledtools/pikaci/schema/plan"
)

// nodes compares the nodes: builds are payloads, the others stand for jobs,
// and what a job tells already is left out.
func (c *comparison) nodes() {
	told := map[string]bool{}
	for _, j := range c.diff.Jobs {
		told[j.ID] = true
	}
	found := items(c.old.plan.Nodes, c.new.plan.Nodes, kind[plan.Node]{
		id:    func(n *plan.Node) string { return n.ID },
		item:  func(n *plan.Node) Item { return Item{Label: n.Description} },
		whole: nodeView,
		drop:  func(n *plan.Node, f Field) bool { return c.follows(n, f, told) },
	}, c)
	for _, item := range found {
		n := c.new.nodes[item.ID]
		if n == nil {
			n = c.old.nodes[item.ID]
		}
		if n.NixBuild != nil {
			item.Label = n.NixBuild.Installable
			c.diff.Payloads = append(c.diff.Payloads, item)
			continue
		}
		item.Implied = item.Change != Changed && told[jobOf(n)]
		c.diff.Nodes = append(c.diff.Nodes, item)
	}
}

// nodeView is a node with its build's fields beside its own, where the output
// name says no more than the installable.
func nodeView(_ *index, n *plan.Node) map[string]any {
	o := object(n)
	if b := n.NixBuild; b != nil {
		delete(o, "nix_build")
		o["installable"] = b.Installable
		if !strings.HasSuffix(b.Installable, "#"+b.OutputName) {
			o["output_name"] = b.OutputName
		}
		if b.TimeoutSecs > 0 {
			o["timeout_secs"] = value(b.TimeoutSecs)
		}
	}
	return o
}

// jobOf is the job of a node that is of one.
func jobOf(n *plan.Node) string {
	switch {
	case n.IncusInstance != nil:
		return n.IncusInstance.Job
	case n.GuestCommand != nil:
		return n.GuestCommand.Job
	case n.HostCommand != nil:
		return n.HostCommand.Job
	}
	return ""
}

// follows reports whether a node's field changed only because of a job that is
// told of.
func (c *comparison) follows(n *plan.Node, f Field, told map[string]bool) bool {
	was, is := c.old.nodes[n.ID], n
	switch name, _, _ := strings.Cut(f.Field, "."); name {
	case "jobs":
		return all(unlike(was.Jobs, is.Jobs), func(id string) bool { return told[id] })
	case "depends_on":
		return n.NixBuild == nil && sameOrder(was.DependsOn, is.DependsOn) && (told[jobOf(n)] ||
			all(unlike(was.DependsOn, is.DependsOn), func(id string) bool {
				return (c.old.nodes[id] == nil) != (c.new.nodes[id] == nil)
			}))
	case "description", "guest_command", "host_command":
		return told[jobOf(n)]
	}
	return false
}

// unlike are the members of one list that the other lacks.
func unlike(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			out = append(out, s)
		}
	}
	return out
}

func all(list []string, is func(string) bool) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !is(s) })
}
