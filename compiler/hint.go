package compiler

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cuelang.org/go/cue"
)

// homes are the schema's structs as a maintainer knows them.
func homes() []struct{ definition, words string } {
	return []struct{ definition, words string }{
		{"#Lane", "a lane"}, {"#Job", "a job"}, {"#Incus", "incus"},
		{"#SharedPrepare", "shared_prepare"}, {"#Payload", "a payload"}, {"#Role", "a role"},
	}
}

// fieldHint says of an unknown field what was meant: the known one that is
// spelt like it, the place where it belongs, or what is known here.
func (w *walker) fieldHint(name string, user cue.Value, known []string, near string) string {
	if near != "" && distance(name, near) == 1 {
		return didYouMean(near)
	}
	var at []string
	for _, home := range homes() {
		if slices.Contains(w.homes[home.definition], name) {
			at = append(at, home.words)
		}
	}
	switch has := func(field string) bool { return user.LookupPath(cue.MakePath(cue.Str(field))).Exists() }; {
	case len(at) > 0:
		return fmt.Sprintf("%s is a field of %s: write it there", name, strings.Join(at, " and of "))
	case slices.Contains(known, "jobs") && has("command"):
		return "a job is written in jobs: " + name + ": {...}"
	}
	return cmp.Or(didYouMean(near), "known fields: "+strings.Join(known, ", "))
}

// readHomes notes the fields of the schema's structs.
func (w *walker) readHomes(schema cue.Value) {
	w.homes = map[string][]string{}
	for _, home := range homes() {
		w.homes[home.definition] = knownFields(schema.LookupPath(cue.ParsePath(home.definition))).names
	}
}

// memoryPattern are amounts of memory as people write them, of which the
// first letter of the unit counts.
var memoryPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([1-9][0-9]*)\s*([MmGg])(i?[Bb])?$`)
})

// quotedWord are the values that the schema's words name.
var quotedWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`"([^"]+)"`) })

// valueHint says how a wrong value is written right, where that can be told.
func valueHint(field string, user, want cue.Value, words string) string {
	text, err := user.String()
	isText := err == nil
	kind := want.IncompleteKind()
	switch {
	case user.IncompleteKind() == cue.BytesKind:
		return "single quotes make bytes: a text takes double quotes"
	case user.IncompleteKind() == cue.NullKind:
		return "leave the field out"
	case field == "memory":
		return memoryHint(user, text)
	case isText && kind == cue.ListKind:
		return listHint(field, text)
	case isText && kind&cue.NumberKind != 0:
		return numberHint(field, text)
	case isText && kind == cue.BoolKind:
		switch strings.ToLower(text) {
		case "true", "yes", "on", "1":
			return "write true, without quotes"
		case "false", "no", "off", "0":
			return "write false, without quotes"
		}
	case isText && strings.Contains(words, `" or "`):
		var allowed []string
		for _, m := range quotedWord().FindAllStringSubmatch(words, -1) {
			allowed = append(allowed, m[1])
		}
		return meant(strings.ToLower(text), allowed)
	case kind == cue.StringKind && user.IncompleteKind()&(cue.NumberKind|cue.BoolKind) != 0:
		return fmt.Sprintf("a text takes quotes: %q", shownValue(user))
	}
	return ""
}

func memoryHint(user cue.Value, text string) string {
	if n, err := user.Int64(); err == nil && n > 0 {
		return fmt.Sprintf("in MiB: \"%dMiB\"", n)
	}
	if m := memoryPattern().FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("write \"%s%siB\"", m[1], strings.ToUpper(m[2]))
	}
	return ""
}

// listHint parts a text into the elements of a list: at spaces for a command,
// else at commas.
func listHint(field, text string) string {
	part := func(r rune) bool { return r == ',' }
	if field == "command" {
		if strings.ContainsAny(text, "|&;<>$`\"'\\") {
			return fmt.Sprintf("a shell is spelt out: [\"bash\", \"-ec\", %q]", text)
		}
		part = func(r rune) bool { return r == ' ' }
	}
	var words []string
	for _, word := range strings.FieldsFunc(text, part) {
		words = append(words, strconv.Quote(strings.TrimSpace(word)))
	}
	return "write [" + strings.Join(words, ", ") + "]"
}

func numberHint(field, text string) string {
	if _, err := strconv.Atoi(text); err == nil {
		return "write " + text + ", without quotes"
	}
	if d, err := time.ParseDuration(strings.ReplaceAll(text, " ", "")); err == nil && field == "timeout_secs" && d > 0 {
		return fmt.Sprintf("in seconds: %.0f", math.Ceil(d.Seconds()))
	}
	return ""
}
