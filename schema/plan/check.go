package plan

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Problem is one broken rule of a plan.
type Problem struct {
	// Where names the part: `job "x"`, `node "y"`, `lane "z"`.
	Where string
	// What says what is wrong and what was wanted.
	What string
}

// Error gives "where: what".
func (p *Problem) Error() string { return p.Where + ": " + p.What }

// Limits of sizes that no sane plan reaches; they bound what a hostile plan
// can make exec do.
const (
	maxNodes      = 200_000
	maxTimeout    = 7 * 24 * 3600
	maxRetries    = 10
	maxIDLen      = 128
	maxCPUs       = 4096
	maxUID        = 1<<31 - 1
	maxCommandLen = 128 << 10
)

var (
	envPattern    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	outputPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)
	prefixPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)
)

// ReservedEnv are names that a job's env and secrets can't set, because exec
// sets them.
var ReservedEnv = []string{"PATH", "HOME", "CI", "PIKACI_RUN_ID", "PIKACI_LANE", "PIKACI_JOB", "PIKACI_ARTIFACTS", "PIKACI_CACHE"}

// Check holds the plan against every rule that exec relies on, and returns all
// broken ones joined, each a *Problem. It runs after compiling and before
// running; it does not check version and digest, Decode does.
func Check(p *Plan) error {
	c := checker{
		plan:  p,
		lanes: make(map[string]*Lane, len(p.Lanes)),
		jobs:  make(map[string]*Job, len(p.Jobs)),
		nodes: make(map[string]*Node, len(p.Nodes)),
	}
	c.snapshot()
	c.laneRules()
	c.jobRules()
	c.nodeRules()
	c.everyJobHasItsNodes()
	return errors.Join(c.problems...)
}

type checker struct {
	plan     *Plan
	lanes    map[string]*Lane
	jobs     map[string]*Job
	nodes    map[string]*Node
	problems []error
}

func (c *checker) fail(kind, id, format string, args ...any) {
	c.problems = append(c.problems, &Problem{
		Where: fmt.Sprintf("%s %q", kind, id), What: fmt.Sprintf(format, args...)})
}

func (c *checker) snapshot() {
	for _, name := range c.plan.Snapshot.Exclude {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
			c.fail("snapshot", "exclude", "%q is not a name at the root of the tree", name)
		}
	}
}

func (c *checker) laneRules() {
	for i := range c.plan.Lanes {
		l := &c.plan.Lanes[i]
		if !validID(l.ID) {
			c.fail("lane", l.ID, "its id is not made of letters, digits, dot, underscore and dash")
		}
		if c.lanes[l.ID] != nil {
			c.fail("lane", l.ID, "listed twice")
		}
		c.lanes[l.ID] = l
		if l.Trigger != Branch && l.Trigger != Nightly {
			c.fail("lane", l.ID, "trigger is %q: want branch or nightly", l.Trigger)
		}
		if l.TimeoutSecs < 0 || l.TimeoutSecs > maxTimeout {
			c.fail("lane", l.ID, "timeout_secs is %d: want 1 to %d", l.TimeoutSecs, maxTimeout)
		}
		if !l.Chosen && len(l.Jobs) > 0 {
			c.fail("lane", l.ID, "not chosen, but has jobs")
		}
		for _, argv := range l.HostSetup {
			c.argv("lane", l.ID, "host_setup", argv)
		}
	}
}

func (c *checker) jobRules() {
	for i := range c.plan.Jobs {
		j := &c.plan.Jobs[i]
		if !validID(j.ID) {
			c.fail("job", j.ID, "its id is not made of letters, digits, dot, underscore and dash")
		}
		if c.jobs[j.ID] != nil {
			c.fail("job", j.ID, "listed twice")
		}
		c.jobs[j.ID] = j
	}
	listed := make(map[string]bool, len(c.plan.Jobs))
	for _, l := range c.plan.Lanes {
		for _, id := range l.Jobs {
			j := c.jobs[id]
			if j == nil || j.Lane != l.ID {
				c.fail("lane", l.ID, "lists job %q, which is not a job of it", id)
			}
			if listed[id] {
				c.fail("lane", l.ID, "lists job %q a second time", id)
			}
			listed[id] = true
		}
	}
	for i := range c.plan.Jobs {
		j := &c.plan.Jobs[i]
		if !listed[j.ID] {
			c.fail("job", j.ID, "no lane lists it")
		}
		c.jobFields(j)
		c.payloads(j)
	}
}

func (c *checker) jobFields(j *Job) {
	bad := func(format string, args ...any) { c.fail("job", j.ID, format, args...) }
	if j.TimeoutSecs <= 0 || j.TimeoutSecs > maxTimeout {
		bad("timeout_secs is %d: want 1 to %d", j.TimeoutSecs, maxTimeout)
	}
	if j.SilenceSecs < 0 || j.SilenceSecs > maxTimeout {
		bad("silence_secs is %d: want 1 to %d", j.SilenceSecs, maxTimeout)
	}
	if j.Retries < 0 || j.Retries > maxRetries {
		bad("retries is %d: want 0 to %d", j.Retries, maxRetries)
	}
	if j.User < 0 || j.User > maxUID {
		bad("user is %d: want a uid", j.User)
	}
	if j.Host() {
		if !relativeInside(j.WorkingDir) {
			bad("working_dir is %q: want a path inside the snapshot for a host job", j.WorkingDir)
		}
		if len(j.StagedPayloads) > 0 {
			bad("a host job has no payloads")
		}
		if j.DevShell != "" && !outputPattern.MatchString(j.DevShell) {
			bad("dev_shell is %q: want the name of a development shell", j.DevShell)
		}
	} else {
		if j.HostCache || j.DevShell != "" {
			bad("host_cache and dev_shell are a host job's only")
		}
		if !cleanAbsolute(j.WorkingDir) {
			bad("working_dir is %q: want an absolute, clean path", j.WorkingDir)
		}
		c.incus(j)
	}
	for _, name := range slices.Sorted(maps.Keys(j.Env)) {
		if strings.ContainsRune(j.Env[name], 0) {
			bad("env %s holds a NUL character", name)
		}
		c.envName(j, name)
	}
	for _, name := range j.Secrets {
		if _, twice := j.Env[name]; twice {
			bad("%s is both env and secret", name)
		}
		c.envName(j, name)
	}
	for _, id := range j.Needs {
		if c.jobs[id] == nil || id == j.ID {
			bad("needs %q, which is not another job of this plan", id)
		}
	}
	for _, glob := range j.Reads {
		if !relativeInside(strings.ReplaceAll(glob, `\`, "")) {
			bad("glob %.80q of reads leaves the snapshot", glob)
		}
		if GlobTooWide(glob) {
			bad("glob %.80q of reads stands for over %d globs", glob, maxGlobChoices)
		}
	}
	for _, glob := range j.Artifacts {
		if !relativeInside(glob) {
			bad("artifact glob %q leaves the artifacts folder", glob)
		}
		if GlobTooWide(glob) {
			bad("artifact glob %.80q stands for over %d globs", glob, maxGlobChoices)
		}
	}
}

func (c *checker) envName(j *Job, name string) {
	if !envPattern.MatchString(name) {
		c.fail("job", j.ID, "%q is not a name of an environment variable", name)
	}
	if slices.Contains(ReservedEnv, name) {
		c.fail("job", j.ID, "%s is set by pikaci and can't be set by a job", name)
	}
}

func (c *checker) incus(j *Job) {
	i := j.Incus
	if i.Image == "" || strings.ContainsAny(i.Image, " \t\r\n\x00") {
		c.fail("job", j.ID, "incus.image is %q: want an alias or fingerprint", i.Image)
	}
	if i.InstanceType != Container && i.InstanceType != VirtualMachine {
		c.fail("job", j.ID, "incus.instance_type is %q: want container or virtual-machine", i.InstanceType)
	}
	if i.CPUs <= 0 || i.CPUs > maxCPUs {
		c.fail("job", j.ID, "incus.cpus is %d: want 1 to %d", i.CPUs, maxCPUs)
	}
	if _, err := i.MemoryMiB(); err != nil {
		c.fail("job", j.ID, "incus.%v", err)
	}
	if i.GuestRunner != "" && (!cleanAbsolute(i.GuestRunner) || i.GuestRunner == "/") {
		c.fail("job", j.ID, "incus.guest_runner is %q: want an absolute, clean path", i.GuestRunner)
	}
	for _, name := range append(slices.Clone(i.Profiles), i.Network) {
		if !validID(name) {
			c.fail("job", j.ID, "incus: %q is not a name of a profile or network", name)
		}
	}
}

func (c *checker) payloads(j *Job) {
	dirs, roles := map[string]bool{}, map[string]bool{}
	for i, s := range j.StagedPayloads {
		bad := func(format string, args ...any) {
			c.fail("job", j.ID, "payload %q: %s", s.Role, fmt.Sprintf(format, args...))
		}
		if !validID(s.Role) || roles[s.Role] {
			bad("its role is not an id of its own")
		}
		roles[s.Role] = true
		dir, base := path.Split(s.LocalMountPath)
		if dir != "jobs/"+j.ID+"/staged-linux-rust/" || !validID(base) || dirs[base] {
			bad("local_mount_path is %q: want jobs/%s/staged-linux-rust/<a name of its own>", s.LocalMountPath, j.ID)
		}
		dirs[base] = true
		if !outputPattern.MatchString(s.OutputName) || s.Installable != "path:snapshot#"+s.OutputName {
			bad("installable is %q for output %q: want path:snapshot#<output name>", s.Installable, s.OutputName)
		}
		if !prefixPattern.MatchString(s.DevicePrefix) {
			bad("device_prefix is %q: want letters, digits and dashes", s.DevicePrefix)
		}
		if !cleanAbsolute(s.GuestMountPath) {
			bad("guest_mount_path is %q: want an absolute, clean path", s.GuestMountPath)
		} else if why := GuestPathProblem(s.GuestMountPath); why != "" {
			bad("guest_mount_path %s %s", s.GuestMountPath, why)
		}
		for _, o := range j.StagedPayloads[:i] {
			if within(s.GuestMountPath, o.GuestMountPath) || within(o.GuestMountPath, s.GuestMountPath) {
				bad("it is mounted in payload %q, or that in it: %s and %s", o.Role, s.GuestMountPath, o.GuestMountPath)
			}
		}
	}
}

func (c *checker) nodeRules() {
	if len(c.plan.Nodes) > maxNodes {
		c.fail("plan", "nodes", "%d nodes: want at most %d", len(c.plan.Nodes), maxNodes)
	}
	for i := range c.plan.Nodes {
		n := &c.plan.Nodes[i]
		if !validID(n.ID) {
			c.fail("node", n.ID, "its id is not made of letters, digits, dot, underscore and dash")
		}
		seen := map[string]bool{}
		for _, d := range n.DependsOn {
			if c.nodes[d] == nil {
				c.fail("node", n.ID, "depends on %q, which does not stand before it", d)
			}
			if seen[d] {
				c.fail("node", n.ID, "depends on %q twice", d)
			}
			seen[d] = true
		}
		for _, id := range n.Jobs {
			if c.jobs[id] == nil {
				c.fail("node", n.ID, "is for job %q, which is not in this plan", id)
			}
		}
		if c.nodes[n.ID] != nil {
			c.fail("node", n.ID, "listed twice")
		}
		c.nodes[n.ID] = n
		c.operation(n)
	}
}

func (c *checker) operation(n *Node) {
	set := 0
	if o := n.NixBuild; o != nil {
		set++
		if !outputPattern.MatchString(o.OutputName) || o.Installable != "path:snapshot#"+o.OutputName {
			c.fail("node", n.ID, "installable is %q for output %q", o.Installable, o.OutputName)
		}
		if o.TimeoutSecs < 0 || o.TimeoutSecs > maxTimeout {
			c.fail("node", n.ID, "timeout_secs is %d: want 1 to %d", o.TimeoutSecs, maxTimeout)
		}
	}
	if o := n.IncusInstance; o != nil {
		set++
		c.jobOf(n, o.Job, PrepareRunnerID(o.Job), false)
	}
	if o := n.GuestCommand; o != nil {
		set++
		c.jobOf(n, o.Job, ExecuteID(o.Job), false)
		c.argv("node", n.ID, "command", o.Command)
	}
	if o := n.HostCommand; o != nil {
		set++
		c.jobOf(n, o.Job, ExecuteID(o.Job), true)
		c.argv("node", n.ID, "command", o.Command)
	}
	if set != 1 {
		c.fail("node", n.ID, "has %d operations: want exactly one", set)
	}
}

// jobOf checks that a node of one job is named after it and fits it.
func (c *checker) jobOf(n *Node, job, id string, host bool) {
	j := c.jobs[job]
	switch {
	case j == nil:
		c.fail("node", n.ID, "is of job %q, which is not in this plan", job)
	case j.Host() != host:
		c.fail("node", n.ID, "does not fit job %q: one is of the host, one of a guest", job)
	case n.ID != id || !slices.Equal(n.Jobs, []string{job}):
		c.fail("node", n.ID, "want id %q and jobs [%q]", id, job)
	}
}

func (c *checker) argv(kind, id, field string, argv []string) {
	size := 0
	for _, word := range argv {
		size += len(word) + 1
		if strings.ContainsRune(word, 0) {
			c.fail(kind, id, "%s holds a NUL character", field)
		}
	}
	if len(argv) == 0 || argv[0] == "" || size > maxCommandLen {
		c.fail(kind, id, "%s: want a program and its arguments, at most %d bytes", field, maxCommandLen)
	}
}

// everyJobHasItsNodes checks that a job's execute node is there and waits for
// all that the job needs.
func (c *checker) everyJobHasItsNodes() {
	for i := range c.plan.Jobs {
		j := &c.plan.Jobs[i]
		n := c.nodes[ExecuteID(j.ID)]
		if n == nil || n.Prepares() {
			c.fail("job", j.ID, "has no node %q that runs its command", ExecuteID(j.ID))
			continue
		}
		var want []string
		for _, s := range j.StagedPayloads {
			want = append(want, s.PrepareNodeID)
			b := c.nodes[s.PrepareNodeID]
			if b == nil || b.NixBuild == nil || b.NixBuild.Installable != s.Installable || !slices.Contains(b.Jobs, j.ID) {
				c.fail("job", j.ID, "payload %q: node %q does not build it for this job", s.Role, s.PrepareNodeID)
			} else if b.NixBuild.TimeoutSecs != s.PrepareTimeoutSecs {
				c.fail("job", j.ID, "payload %q: prepare_timeout_secs is %d, and timeout_secs of node %q is %d",
					s.Role, s.PrepareTimeoutSecs, s.PrepareNodeID, b.NixBuild.TimeoutSecs)
			}
		}
		if !j.Host() {
			want = append(want, PrepareRunnerID(j.ID))
		}
		for _, id := range j.Needs {
			want = append(want, ExecuteID(id))
		}
		for _, id := range want {
			if !slices.Contains(n.DependsOn, id) {
				c.fail("node", n.ID, "does not wait for %q", id)
			}
		}
	}
}

// validID reports whether s is made of letters, digits, dot, underscore and
// dash, and begins with a letter or digit. No regexp: a plan of a hundred
// jobs asks a thousand times.
func validID(s string) bool {
	if s == "" || len(s) > maxIDLen || strings.IndexByte("._-", s[0]) >= 0 {
		return false
	}
	for _, c := range []byte(s) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("._-", c) < 0 {
			return false
		}
	}
	return true
}

func cleanAbsolute(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && !strings.ContainsAny(p, "\x00\n")
}

func relativeInside(p string) bool {
	if p == "" || path.IsAbs(p) || strings.ContainsAny(p, "\x00\\") {
		return false
	}
	return !slices.Contains(strings.Split(p, "/"), "..")
}
