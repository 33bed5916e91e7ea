package compiler

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/sledtools/pikaci/schema/plan"
)

// lane checks what concerns one lane alone.
func (k *checker) lane(l *laneFile) {
	at := []string{"lanes", l.id}
	under := func(fields ...string) []string { return append(slices.Clip(at), fields...) }
	if l.said != l.id {
		k.bad(under("id"), "id %q is not the lane's key %q", l.said, l.id)
	}
	if len(l.jobs) == 0 {
		k.fail(k.p.label(at...), at, nil, "a lane holds at least one job", "lane %s has no jobs", l.id)
	}
	k.globs(under("paths"), l.paths, "a changed path", "a lane is chosen by what it lists", "the repository's root")
	if l.sharedPrepare == nil && len(l.payloads) > 0 {
		k.fail(k.p.at(under("payloads")...), under("payloads"), nil,
			"say shared_prepare: {node_prefix: ..., description: ...}", "lane %s has payloads but no shared_prepare", l.id)
	}
	if _, err := l.incus.MemoryMiB(); err != nil {
		k.bad(under("incus", "memory"), "%v", err)
	}
	if r := l.incus.GuestRunner; r != "" && !cleanAbsolute(r) {
		k.bad(under("incus", "guest_runner"), "guest_runner is %q: want an absolute path without . and ..", r)
	}
	for i, argv := range l.hostSetup {
		k.command(under("host_setup", strconv.Itoa(i)), argv)
	}
	k.roles(under("roles"), l.roles, k.c.roles)
	if !k.rolesUnknown {
		k.payloads(l, under("payloads"))
	}
	for i := range l.jobs {
		k.job(l, &l.jobs[i])
	}
	if !slices.ContainsFunc(l.jobs, func(j jobFile) bool { return j.host }) {
		for _, field := range []string{"host_cache", "dev_shell"} {
			if k.p.has(under(field)...) {
				k.bad(under(field), "lane %s has no host job: %s says nothing here", l.id, field)
			}
		}
	}
	k.cycles(l)
}

// globs checks a list of globs that are held against paths: against what, why
// they know no negation, and what they are relative to.
func (k *checker) globs(at []string, list []string, against, choice, root string) {
	for i, glob := range list {
		if why := badGlob(glob, against, choice); why != "" {
			k.fail(k.p.text(glob, i, at...), at, nil, "globs are relative to "+root+", like crates/**",
				"bad glob %q in %s: %s", glob, at[len(at)-1], why)
		}
	}
}

// badGlob says why a glob can't match; empty where it can.
func badGlob(glob, against, choice string) string {
	switch {
	case glob == "":
		return "it is empty"
	case !doublestar.ValidatePattern(glob):
		return "a bracket or brace is not closed, or a backslash ends it"
	case path.IsAbs(glob):
		return "it is absolute"
	case strings.HasPrefix(glob, "./") || slices.Contains(strings.Split(glob, "/"), ".."):
		return against + " never holds ./ or .."
	case strings.HasSuffix(glob, "/"):
		return against + " is a file and never ends with a slash: " + glob + "**"
	case strings.HasPrefix(glob, "!"):
		return "globs know no negation: " + choice
	case strings.Contains(glob, "//") || slices.Contains(strings.Split(glob, "/"), "."):
		return against + " never holds // or /./"
	case windowsPath().MatchString(glob):
		return "parts of a path are joined by /, a backslash takes the next letter as it is"
	case strings.ContainsRune(glob, 0):
		return "it holds a NUL character"
	case plan.GlobTooWide(glob):
		return tooWide
	}
	return ""
}

// tooWide is said of a glob with more braces than can be tried.
const tooWide = "its braces stand for over 1000 globs, and each would be tried"

// windowsPath finds a backslash before a letter, which needs none.
var windowsPath = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\\[A-Za-z0-9_]`) })

// systemPattern finds the Nix system among the parts of an output's name.
var systemPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(x86_64|aarch64|i686|armv[67]l|riscv64|powerpc64le)-(linux|darwin)$`)
})

func (k *checker) payloads(l *laneFile, at []string) {
	table := rolesOf(l, k.c.roles)
	var names []string
	for name := range table {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, p := range l.payloads {
		here := append(slices.Clip(at), strconv.Itoa(i))
		r, known := table[p.role]
		if !known {
			hint := meant(p.role, names)
			if hint == "" && len(names) > 0 {
				hint = "known roles: " + strings.Join(names, ", ")
			}
			k.fail(k.p.at(append(here, "role")...), append(here, "role"), nil, hint, "no role is named %q", p.role)
			continue
		}
		for n, o := range l.payloads[:i] {
			if other, ok := table[o.role]; ok {
				k.pair(here, append(slices.Clip(at), strconv.Itoa(n)), r, other)
			}
		}
		if l.sharedPrepare != nil {
			if id := "prepare-" + l.sharedPrepare.nodePrefix + "-" + r.prepareNodeSuffix; len(id) > 128 {
				k.bad(here, "node id %s is over 128 characters", id)
			}
		}
		for part := range strings.SplitSeq(p.outputName, ".") {
			if l.system != "" && part != l.system && systemPattern().MatchString(part) {
				k.bad(append(here, "output_name"), "output_name %s is of system %s, the lane's is %s", p.outputName, part, l.system)
			}
		}
	}
}

// pair checks two roles that one lane uses: what must be their own.
func (k *checker) pair(here, there []string, r, other role) {
	others := []Position{k.p.at(there...)}
	clash := func(format string, args ...any) { k.fail(k.p.at(here...), here, others, "", format, args...) }
	switch {
	case r.name == other.name:
		clash("role %s is played twice", r.name)
	case r.prepareNodeSuffix == other.prepareNodeSuffix:
		clash("roles %s and %s have the same prepare_node_suffix %s", other.name, r.name, r.prepareNodeSuffix)
	case r.mountDirName == other.mountDirName:
		clash("roles %s and %s have the same mount_dir_name %s", other.name, r.name, r.mountDirName)
	case r.devicePrefix == other.devicePrefix:
		clash("roles %s and %s have the same device_prefix %s", other.name, r.name, r.devicePrefix)
	case within(r.guestMountPath, other.guestMountPath) || within(other.guestMountPath, r.guestMountPath):
		clash("roles %s and %s are mounted in one another: %s and %s", other.name, r.name, other.guestMountPath, r.guestMountPath)
	}
}

func (k *checker) job(l *laneFile, j *jobFile) {
	at := []string{"lanes", l.id, "jobs", j.id}
	under := func(fields ...string) []string { return append(slices.Clip(at), fields...) }
	if j.said != j.id {
		k.bad(under("id"), "id %q is not the job's key %q", j.said, j.id)
	}
	k.command(under("command"), j.command)
	switch {
	case j.host && !inside(j.workingDir):
		k.bad(under("working_dir"), "working_dir is %q: want a path inside the snapshot, as the job runs on the host", j.workingDir)
	case !j.host && !cleanAbsolute(j.workingDir):
		k.bad(under("working_dir"), "working_dir is %q: want an absolute path without . and ..", j.workingDir)
	}
	if j.host && k.p.has(under("user")...) {
		k.bad(under("user"), "a host job runs as whoever started the run: user says nothing here")
	}
	for name, value := range j.env {
		if slices.Contains(plan.ReservedEnv, name) {
			k.fail(k.p.label(under("env", name)...), under("env", name), nil, "", "%s is set by pikaci and can't be set by a job", name)
		}
		if strings.ContainsRune(value, 0) {
			k.bad(under("env", name), "%s holds a NUL character", name)
		}
	}
	for i, name := range j.secrets {
		here := under("secrets", strconv.Itoa(i))
		_, both := j.env[name]
		switch {
		case slices.Contains(plan.ReservedEnv, name):
			k.bad(here, "%s is set by pikaci and can't be set by a job", name)
		case both:
			k.fail(k.p.at(here...), here, []Position{k.p.label(under("env", name)...)}, "", "%s is both env and secret", name)
		case slices.Contains(j.secrets[:i], name):
			k.bad(here, "secret %s is listed twice", name)
		}
	}
	for i, glob := range j.artifacts {
		switch {
		case !inside(glob):
			k.bad(under("artifacts", strconv.Itoa(i)), "artifact glob %q leaves the artifacts folder: want a relative glob without ..", glob)
		case !doublestar.ValidatePattern(glob):
			k.bad(under("artifacts", strconv.Itoa(i)), "bad glob %q in artifacts: %s", glob, badGlob(glob, "an artifact", ""))
		case plan.GlobTooWide(glob):
			k.bad(under("artifacts", strconv.Itoa(i)), "bad glob %q in artifacts: %s", glob, tooWide)
		}
	}
	k.globs(under("reads"), j.reads, "a path", "a job sees what it lists", "the snapshot's root")
	k.needs(l, j, under("needs"))
}

func (k *checker) command(at []string, argv []string) {
	switch {
	case argv[0] == "":
		k.bad(at, "the command names no program")
	case slices.ContainsFunc(argv, func(word string) bool { return strings.ContainsRune(word, 0) }):
		k.bad(at, "the command holds a NUL character")
	}
}

func (k *checker) needs(l *laneFile, j *jobFile, at []string) {
	var ids []string
	for i := range l.jobs {
		ids = append(ids, l.jobs[i].id)
	}
	for i, id := range j.needs {
		here := append(slices.Clip(at), strconv.Itoa(i))
		n := slices.Index(ids, id)
		switch owner := k.laneOf(id); {
		case slices.Contains(j.needs[:i], id):
			k.bad(here, "job %s is needed twice", id)
		case n >= 0 && l.jobs[n].finally && !j.finally:
			k.bad(here, "job %s runs after all others (finally): job %s can't need it", id, j.id)
		case n >= 0:
		case owner != "":
			k.fail(k.p.at(here...), here, nil, "a lane must be able to run alone: put both jobs into one lane",
				"job %s is of lane %s: a job can only need jobs of its own lane", id, owner)
		default:
			k.fail(k.p.at(here...), here, nil, meant(id, ids), "job %s needs %q, which is no job", j.id, id)
		}
	}
}

func (k *checker) laneOf(job string) string {
	for _, l := range k.lanes {
		for i := range l.jobs {
			if l.jobs[i].id == job {
				return l.id
			}
		}
	}
	return ""
}

// cycles finds jobs that need each other; each cycle is told once.
func (k *checker) cycles(l *laneFile) {
	needs := map[string][]string{}
	for i := range l.jobs {
		needs[l.jobs[i].id] = l.jobs[i].needs
	}
	done := map[string]bool{}
	var trail []string
	var visit func(id string)
	visit = func(id string) {
		if start := slices.Index(trail, id); start >= 0 {
			k.cycle(l, trail[start:])
			return
		}
		if done[id] {
			return
		}
		trail = append(trail, id)
		for _, n := range needs[id] {
			visit(n)
		}
		trail = trail[:len(trail)-1]
		done[id] = true
	}
	for i := range l.jobs {
		visit(l.jobs[i].id)
	}
}

func (k *checker) cycle(l *laneFile, ids []string) {
	var others []Position
	for _, id := range ids[1:] {
		others = append(others, k.p.at("lanes", l.id, "jobs", id, "needs"))
	}
	at := []string{"lanes", l.id, "jobs", ids[0], "needs"}
	k.fail(k.p.at(at...), at, others, "", "jobs need each other in a circle: %s",
		strings.Join(append(slices.Clone(ids), ids[0]), " needs "))
}

func cleanAbsolute(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && !strings.ContainsAny(p, "\x00\n")
}

// inside reports whether a path or glob is relative and stays in its folder.
func inside(p string) bool {
	return p != "" && !path.IsAbs(p) && !strings.ContainsAny(p, "\x00\\") && !slices.Contains(strings.Split(p, "/"), "..")
}
