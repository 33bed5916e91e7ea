package compiler

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/sledtools/pikaci/schema/plan"
)

// Warnings are what the lane files say that is valid and hardly meant. They
// change no plan.
func (c *Catalogue) Warnings() Diagnostics { return c.warnings }

// warn gives the warnings of a catalogue that passed the checks.
func (k *checker) warn() Diagnostics {
	k.out = nil
	k.unusedRoles()
	byPaths := slices.ContainsFunc(k.lanes, func(l *laneFile) bool { return l.trigger == plan.Branch && len(l.paths) > 0 })
	for _, l := range k.lanes {
		k.warnSelection(l, byPaths)
		k.warnGlobs([]string{"lanes", l.id, "paths"}, l.paths)
		k.warnSaysNothing(l)
		for i := range l.jobs {
			k.warnSecrets(l, &l.jobs[i])
			k.warnCommand(l, &l.jobs[i])
			k.warnGlobs([]string{"lanes", l.id, "jobs", l.jobs[i].id, "reads"}, l.jobs[i].reads)
		}
	}
	for i := range k.out {
		k.out[i].Severity = Warning
	}
	return sorted(k.out)
}

func (k *checker) unusedRoles() {
	used := map[string]bool{}
	for _, l := range k.lanes {
		mine := map[string]bool{}
		for _, p := range l.payloads {
			used[p.role], mine[p.role] = true, true
		}
		for i, r := range l.roles {
			if !mine[r.name] {
				at := []string{"lanes", l.id, "roles", strconv.Itoa(i)}
				k.fail(k.p.at(at...), at, nil, "remove it, or name it in payloads", "no payload of lane %s plays its role %s", l.id, r.name)
			}
		}
	}
	for i, r := range k.c.roles {
		if !used[r.name] {
			at := []string{"roles", strconv.Itoa(i)}
			k.fail(k.p.at(at...), at, nil, "remove it, or name it in the payloads of a lane", "no lane uses role %s", r.name)
		}
	}
}

// warnSelection finds lanes that changed paths can never choose. byPaths says
// that others are chosen so: where none is, nobody misses it.
func (k *checker) warnSelection(l *laneFile, byPaths bool) {
	paths := []string{"lanes", l.id, "paths"}
	switch {
	case l.trigger == plan.Nightly && len(l.paths) > 0:
		k.fail(k.p.label(paths...), paths, nil, "remove the paths, or the trigger",
			"the paths of nightly lane %s say nothing: changed paths choose branch lanes only", l.id)
	case l.trigger == plan.Branch && !l.saysPaths && byPaths:
		k.fail(k.p.label("lanes", l.id), paths[:2], nil, "give it paths; or say paths: [] if it is to run by name only",
			"changed paths never choose lane %s: it has no paths, as others have", l.id)
	}
}

// warnGlobs finds globs that are valid and match something else than they
// seem to.
func (k *checker) warnGlobs(at, globs []string) {
	seen := map[string]bool{}
	for i, glob := range globs {
		what, hint := "", ""
		switch {
		case seen[glob]:
			// Lists that are joined may overlap; only what is written twice
			// in one list is a slip.
			if k.p.has(append(slices.Clip(at), strconv.Itoa(i))...) {
				what, hint = "is listed twice", "remove one"
			}
		case strings.TrimSpace(glob) != glob:
			what, hint = "begins or ends with a space", "remove the space"
		case gluedStars(glob):
			what, hint = "has ** beside other letters, where it crosses no slash", "write ** between slashes, like crates/**/*.rs"
		}
		seen[glob] = true
		if what != "" {
			k.fail(k.p.text(glob, i, at...), at, nil, hint, "glob %q in %s %s", glob, at[len(at)-1], what)
		}
	}
}

// gluedStars reports whether a ** is not a whole segment of its glob.
func gluedStars(glob string) bool {
	if !strings.Contains(glob, "**") || strings.ContainsAny(glob, "{[\\") {
		return false
	}
	for segment := range strings.SplitSeq(glob, "/") {
		if segment != "**" && strings.Contains(segment, "**") {
			return true
		}
	}
	return false
}

// warnSaysNothing finds fields that change nothing because of others.
func (k *checker) warnSaysNothing(l *laneFile) {
	at := []string{"lanes", l.id}
	host := !slices.ContainsFunc(l.jobs, func(j jobFile) bool { return !j.host })
	for _, n := range []struct {
		field string
		odd   bool
		why   string
	}{
		{"payloads", host && len(l.payloads) > 0, "all its jobs run on the host, which gets no payloads"},
		{"incus", host && k.p.has("lanes", l.id, "incus"), "all its jobs run on the host, in no instance"},
		{"shared_prepare", l.sharedPrepare != nil && len(l.payloads) == 0, "it has no payloads to prepare"},
	} {
		if path := append(slices.Clip(at), n.field); n.odd && k.p.has(path...) {
			k.fail(k.p.label(path...), path, nil, "remove it", "%s of lane %s says nothing: %s", n.field, l.id, n.why)
		}
	}
}

// secretName are names of variables that hold secrets as a rule, secretValue
// values that nothing else looks like.
var (
	secretName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?|NSEC)$`)
	})
	secretValue = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`gh[pousr]_[A-Za-z0-9]{20}|github_pat_[A-Za-z0-9_]{20}|AKIA[0-9A-Z]{16}|xox[abprs]-[A-Za-z0-9-]{10}|` +
			`glpat-[A-Za-z0-9_-]{20}|sk-[A-Za-z0-9_-]{20}|nsec1[a-z0-9]{20}|-----BEGIN [A-Z ]*PRIVATE KEY`)
	})
)

// secretMarks stand in whatever secretValue matches: looking for them first
// costs a tenth.
var secretMarks = []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "AKIA", "xox", "glpat-", "sk-", "nsec1", "PRIVATE KEY"}

func looksSecret(s string) bool {
	for _, mark := range secretMarks {
		if strings.Contains(s, mark) {
			return secretValue().MatchString(s)
		}
	}
	return false
}

// warnSecrets finds what looks like a secret in a job: a plan holds it in
// clear. The value is not shown, nor is its line.
func (k *checker) warnSecrets(l *laneFile, j *jobFile) {
	at := []string{"lanes", l.id, "jobs", j.id}
	under := func(fields ...string) []string { return append(slices.Clip(at), fields...) }
	const hint = "list its name in secrets, and let the runner hold the value"
	for name, value := range j.env {
		if looksSecret(value) || len(value) >= 8 && !strings.ContainsAny(value, "/ ") && secretName().MatchString(strings.ToUpper(name)) {
			k.fail(k.p.at(under("env", name)...), under("env", name), nil, hint,
				"env.%s of job %s looks like a secret, and every plan shows it", name, j.id)
			k.out[len(k.out)-1].secret = true
		}
	}
	for i, word := range j.command {
		if looksSecret(word) {
			k.fail(k.p.at(under("command", strconv.Itoa(i))...), under("command", strconv.Itoa(i)), nil, hint,
				"the command of job %s holds what looks like a secret, and every plan shows it", j.id)
			k.out[len(k.out)-1].secret = true
		}
	}
}

// warnCommand finds a command line in place of a program: no shell parts it.
func (k *checker) warnCommand(l *laneFile, j *jobFile) {
	program := j.command[0]
	if !strings.Contains(program, " ") || strings.Contains(program, "/") {
		return
	}
	at := []string{"lanes", l.id, "jobs", j.id, "command", "0"}
	words := strings.Fields(program)
	for i, w := range words {
		words[i] = strconv.Quote(w)
	}
	k.fail(k.p.at(at...), at, nil, "part the words: ["+strings.Join(words, ", ")+"]; or spell a shell out: [\"bash\", \"-ec\", ...]",
		"job %s runs a program whose name has spaces: %q", j.id, program)
}

// Unmatched are globs of paths and reads that match nothing in a source tree:
// warnings too. They need the tree, which a plan does not depend on.
func (c *Catalogue) Unmatched(root fs.FS) Diagnostics {
	if c.places == nil {
		return nil
	}
	k := &checker{c: c, p: c.places}
	known := map[string]bool{}
	for i := range c.lanes {
		l := &c.lanes[i]
		k.unmatched(root, known, []string{"lanes", l.id, "paths"}, l.paths)
		for i := range l.jobs {
			k.unmatched(root, known, []string{"lanes", l.id, "jobs", l.jobs[i].id, "reads"}, l.jobs[i].reads)
		}
	}
	for i := range k.out {
		k.out[i].Severity = Warning
	}
	return c.places.tree.quote(sorted(k.out))
}

// unmatched warns of a list's globs that match nothing. What is known of globs
// is asked once.
func (k *checker) unmatched(root fs.FS, known map[string]bool, at, globs []string) {
	for n, glob := range globs {
		matches, asked := known[glob]
		if !asked {
			matches = matchesAny(root, glob)
			known[glob] = matches
		}
		if !matches {
			k.fail(k.p.text(glob, n, at...), at, nil, folderHint(root, glob), "glob %q in %s matches nothing in the tree", glob, at[len(at)-1])
		}
	}
}

// matchesAny reports whether a glob matches a file of a tree. A folder is no
// changed path.
func matchesAny(root fs.FS, glob string) bool {
	found := false
	err := doublestar.GlobWalk(root, glob, func(string, fs.DirEntry) error {
		found = true
		return doublestar.SkipDir
	}, doublestar.WithFilesOnly(), doublestar.WithNoFollow())
	return found || err != nil
}

// folderHint leads from a folder's name to what lies in it.
func folderHint(root fs.FS, glob string) string {
	if info, err := fs.Stat(root, glob); err == nil && info.IsDir() {
		return fmt.Sprintf("it is a folder: what lies in it is %s/**", glob)
	}
	return ""
}
