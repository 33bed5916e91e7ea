package plandiff

import (
	"encoding/json"
	"fmt"
	"strings"
)

// maxValue is how many bytes of a value a line shows.
const maxValue = 60

// maxNames is how many names a line shows before the rest is a number.
const maxNames = 6

// Text gives the difference as lines for a person, without newlines. Things
// that changed in the same way share a line.
func (d *Diff) Text() []string {
	var t text
	for _, f := range d.Plan {
		t.say("~ %s", f)
	}
	t.items("lane", d.Lanes)
	t.items("job", d.Jobs)
	t.items("payload", d.Payloads)
	t.items("node", d.Nodes)
	if d.Reordered {
		t.say("~ the same graph in another order")
	}
	if d.Empty() {
		t.items("source", d.Sources)
	}
	t.again("to build", d.Build)
	t.again("to run", d.Run)
	return t.lines
}

type text struct{ lines []string }

func (t *text) say(format string, args ...any) {
	t.lines = append(t.lines, fmt.Sprintf(format, args...))
}

func (t *text) items(kind string, all []Item) {
	for _, g := range grouped(all) {
		first := g[0]
		head := kind + " " + first.ID
		switch {
		case len(g) > 1:
			head = fmt.Sprintf("%d %ss: %s", len(g), kind, names(ids(g)))
		case first.Lane != "":
			head += " of lane " + first.Lane
		}
		if first.Change != Changed && first.Label != "" {
			head += ": " + show(first.Label)
		}
		t.say("%s %s", map[Change]string{Added: "+", Removed: "-", Changed: "~"}[first.Change], head)
		for _, f := range first.Fields {
			if kind != "source" {
				t.say("    %s", f)
			}
		}
	}
}

// grouped puts items together whose fields changed alike; others, and implied
// ones left out, stand alone.
func grouped(all []Item) [][]Item {
	var out [][]Item
	at := map[string]int{}
	for _, item := range all {
		if item.Implied {
			continue
		}
		key := show(value(item.Fields))
		if i, alike := at[key]; alike && item.Change == Changed {
			out[i] = append(out[i], item)
			continue
		}
		if item.Change == Changed {
			at[key] = len(out)
		}
		out = append(out, []Item{item})
	}
	return out
}

func ids(items []Item) []string {
	out := make([]string, len(items))
	for i := range items {
		out[i] = items[i].ID
	}
	return out
}

func names(all []string) string {
	if len(all) <= maxNames {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:maxNames], ", "), len(all)-maxNames)
}

func (t *text) again(head string, all []Again) {
	if len(all) == 0 {
		return
	}
	t.say("%s: %d", head, len(all))
	for _, a := range all {
		if a.Installable != "" {
			t.say("    %s for %s", a.Installable, names(a.Jobs))
		} else {
			t.say("    %s: %s", a.ID, names(a.Why))
		}
	}
}

// String gives "timeout_secs: 1800 -> 900", cut where values are long.
func (f Field) String() string {
	switch {
	case f.From == nil:
		return f.Field + ": added" + after(", ", f.To)
	case f.To == nil:
		return f.Field + ": removed" + after(", was ", f.From)
	}
	from, to := show(f.From), show(f.To)
	if len(from)+len(to) <= 2*maxValue {
		return f.Field + ": " + from + " -> " + to
	}
	a, isList := f.From.([]any)
	b, areLists := f.To.([]any)
	if isList && areLists {
		return f.Field + ": " + members(a, b)
	}
	// What both begin with is cut, so that what is shown differs.
	same := 0
	for same < min(len(from), len(to)) && from[same] == to[same] {
		same++
	}
	if keep := maxValue / 3; same > keep {
		from, to = "…"+clean(from[same-keep/2:]), "…"+clean(to[same-keep/2:])
	}
	return f.Field + ": " + short(from) + " -> " + short(to)
}

// after shows a value that came or went; of an object only that it did.
func after(word string, v any) string {
	if _, isObject := v.(map[string]any); isObject {
		return ""
	}
	return word + short(show(v))
}

// members says which members of a long list came and went.
func members(a, b []any) string {
	count := map[string]int{}
	for _, v := range a {
		count[show(v)]++
	}
	var came, went []string
	for _, v := range b {
		if s := show(v); count[s] > 0 {
			count[s]--
		} else {
			came = append(came, "+"+short(s))
		}
	}
	for _, v := range a {
		if s := show(v); count[s] > 0 {
			count[s]--
			went = append(went, "-"+short(s))
		}
	}
	if len(came)+len(went) == 0 {
		return "in another order"
	}
	return names(append(went, came...))
}

// show gives a value as JSON, with one encoding for equal values.
func show(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("BUG: a decoded JSON value can't be encoded: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func short(s string) string {
	if len(s) <= maxValue {
		return s
	}
	return clean(s[:maxValue]) + "…"
}

func clean(s string) string { return strings.ToValidUTF8(s, "") }
