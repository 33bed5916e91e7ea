package compiler

import (
	"strings"

	"cuelang.org/go/cue"
)

// rest holds the lanes of which the walk found nothing wrong against the rules
// that CUE can't see, so that a mistake in one lane does not hide those of
// the others. Every rule is of one lane or of two, and what a lane lacks
// because another is left out can't make it wrong: so each mistake that is
// found here stays one when the others are mended. The rules of payloads need
// the folder's roles, and are left out where those are wrong.
func (w *walker) rest(user cue.Value) Diagnostics {
	c := new(Catalogue)
	lanes, err := user.LookupPath(cue.ParsePath("lanes")).Fields(cue.Hidden(true))
	for err == nil && lanes.Next() {
		if lanes.Selector().LabelType() != cue.StringLabel {
			continue
		}
		id, v := lanes.Selector().Unquoted(), lanes.Value()
		if w.told("lanes", id) || v.Validate(cue.Concrete(true), cue.Final()) != nil {
			continue
		}
		var d decoder
		if read, err := dataOf(v); err == nil {
			if l := d.lane(id, read.top(), w.p); d.err == nil {
				c.lanes = append(c.lanes, l)
			}
		}
	}
	if len(c.lanes) == 0 {
		return nil
	}
	roles := user.LookupPath(cue.ParsePath("roles"))
	unknown := w.told("roles")
	if roles.Exists() && !unsaid(roles) && !unknown {
		var d decoder
		if unknown = roles.Validate(cue.Concrete(true), cue.Final()) != nil; !unknown {
			read, err := dataOf(roles)
			if unknown = err != nil; !unknown {
				c.roles = d.roles(read.top())
				unknown = d.err != nil
			}
		}
	}
	return (&checker{c: c, p: w.p, rolesUnknown: unknown}).all()
}

// told reports whether a mistake of a field, or of one within, was found.
func (w *walker) told(path ...string) bool {
	field := joinPath(path)
	for _, d := range w.out {
		if d.Path == field || strings.HasPrefix(d.Path, field+".") {
			return true
		}
	}
	return false
}
