package compiler

import (
	"fmt"

	"cuelang.org/go/cue"

	"github.com/sledtools/pikaci/schema/plan"
)

// decodeLanes turns the evaluated package into Go data. The value has been
// validated, so every mistake found here is one that the schema lets through.
//
// Known fields are looked up one by one: cue.Value.Decode and Fields sort each
// struct's fields first, which takes longer than evaluating them.
func decodeLanes(v cue.Value, p *places) ([]laneFile, []role, error) {
	var d decoder
	var lanes []laneFile
	var roles []role
	into(&d, v, "lanes", &lanes, func(v cue.Value) (out []laneFile) {
		d.fields(v, func(id string, v cue.Value) { out = append(out, d.lane(id, v, p)) })
		return out
	})
	into(&d, v, "roles", &roles, d.roles)
	return lanes, roles, d.err
}

// decoder keeps the first error, and the names that it looked for: a test
// holds them against the schema.
type decoder struct {
	err error
	ask func(name string)
	// known are the names of fields, which are few and asked for often.
	known map[string]fieldName
}

// fieldName is a name as CUE takes it.
type fieldName struct {
	path cue.Path
	// label is the name in the value's own context, and so of one decoder.
	label uint32
}

// lookUp gives a field of a struct, if it is there. cue.Value.LookupPath makes an
// error, with a place and a context, of each field that is not, and most are
// not: so it is only asked for fields that are. Core, which says so, is CUE's
// own and not for others: if it is gone one day, LookupPath alone does as well.
func (d *decoder) lookUp(v cue.Value, name string) (cue.Value, bool) {
	core := v.Core()
	known, ok := d.known[name]
	if !ok {
		if d.known == nil {
			d.known = map[string]fieldName{}
		}
		known = fieldName{cue.MakePath(cue.Str(name)), uint32(core.R.StrLabel(name))}
		d.known[name] = known
	}
	for _, arc := range core.V.DerefValue().Arcs {
		if uint32(arc.Label) == known.label && !arc.IsConstraint() {
			f := v.LookupPath(known.path)
			return f, f.Exists()
		}
	}
	return cue.Value{}, false
}

func (d *decoder) fail(v cue.Value, err error) {
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("%s: %w", v.Path(), err)
	}
}

// into decodes a field if it is there, and leaves the default if not.
func into[T any](d *decoder, v cue.Value, name string, to *T, decode func(cue.Value) T) {
	if d.ask != nil {
		d.ask(name)
	}
	if f, ok := d.lookUp(v, name); ok {
		*to = decode(f)
	}
}

func (d *decoder) fields(v cue.Value, each func(name string, v cue.Value)) {
	it, err := v.Fields()
	if err != nil {
		d.fail(v, err)
		return
	}
	for it.Next() {
		each(it.Selector().Unquoted(), it.Value())
	}
}

func (d *decoder) lane(id string, v cue.Value, p *places) laneFile {
	l := newLaneFile(id)
	into(d, v, "id", &l.said, d.text)
	into(d, v, "title", &l.title, d.text)
	into(d, v, "description", &l.description, d.text)
	into(d, v, "target_id", &l.targetID, d.text)
	into(d, v, "trigger", &l.trigger, func(v cue.Value) plan.Trigger { return plan.Trigger(d.text(v)) })
	into(d, v, "concurrency_group", &l.concurrencyGroup, d.text)
	into(d, v, "timeout_secs", &l.timeoutSecs, d.number)
	into(d, v, "paths", &l.paths, func(v cue.Value) []string { l.saysPaths = true; return d.texts(v) })
	into(d, v, "system", &l.system, d.text)
	into(d, v, "shared_prepare", &l.sharedPrepare, d.sharedPrepare)
	into(d, v, "payloads", &l.payloads, func(v cue.Value) []payloadFile { return list(d, v, d.payload) })
	into(d, v, "roles", &l.roles, d.roles)
	into(d, v, "snapshot_exclude", &l.snapshotExclude, d.texts)
	into(d, v, "incus", &l.incus, d.incus)
	into(d, v, "host_setup", &l.hostSetup, func(v cue.Value) [][]string { return list(d, v, d.texts) })
	into(d, v, "host_cache", &l.hostCache, d.flag)
	into(d, v, "dev_shell", &l.devShell, d.text)
	into(d, v, "jobs", &l.jobs, func(v cue.Value) []jobFile { return d.jobs(id, v, p) })
	return l
}

// jobs keeps the order of the file: unifying with the schema does not.
func (d *decoder) jobs(lane string, v cue.Value, p *places) []jobFile {
	byID := map[string]jobFile{}
	var ids []string
	d.fields(v, func(id string, v cue.Value) {
		ids = append(ids, id)
		byID[id] = d.job(id, v)
	})
	p.sortAuthored(ids, "lanes", lane, "jobs")
	jobs := make([]jobFile, len(ids))
	for i, id := range ids {
		jobs[i] = byID[id]
	}
	return jobs
}

func (d *decoder) job(id string, v cue.Value) jobFile {
	j := newJobFile(id)
	into(d, v, "id", &j.said, d.text)
	into(d, v, "description", &j.description, d.text)
	into(d, v, "command", &j.command, d.texts)
	into(d, v, "host", &j.host, d.flag)
	into(d, v, "timeout_secs", &j.timeoutSecs, d.number)
	into(d, v, "silence_secs", &j.silenceSecs, d.number)
	into(d, v, "user", &j.user, d.number)
	into(d, v, "working_dir", &j.workingDir, d.text)
	into(d, v, "env", &j.env, d.env)
	into(d, v, "secrets", &j.secrets, d.texts)
	into(d, v, "retries", &j.retries, d.number)
	into(d, v, "writable_workspace", &j.writableWorkspace, d.flag)
	into(d, v, "artifacts", &j.artifacts, d.texts)
	into(d, v, "reads", &j.reads, d.texts)
	into(d, v, "needs", &j.needs, d.texts)
	into(d, v, "cache", &j.cache, func(v cue.Value) *bool { said := d.flag(v); return &said })
	into(d, v, "finally", &j.finally, d.flag)
	if j.workingDir == "" {
		j.workingDir = defaultWorkingDir
		if j.host {
			j.workingDir = defaultHostDir
		}
	}
	return j
}

func (d *decoder) env(v cue.Value) map[string]string {
	out := map[string]string{}
	d.fields(v, func(name string, v cue.Value) { out[name] = d.text(v) })
	return out
}

func (d *decoder) incus(v cue.Value) plan.Incus {
	i := defaultIncus()
	into(d, v, "image", &i.Image, d.text)
	into(d, v, "instance_type", &i.InstanceType, func(v cue.Value) plan.InstanceType { return plan.InstanceType(d.text(v)) })
	into(d, v, "cpus", &i.CPUs, d.number)
	into(d, v, "memory", &i.Memory, d.text)
	into(d, v, "guest_runner", &i.GuestRunner, d.text)
	into(d, v, "profiles", &i.Profiles, d.texts)
	into(d, v, "network", &i.Network, d.text)
	return i
}

func (d *decoder) sharedPrepare(v cue.Value) *sharedPrepare {
	s := new(sharedPrepare)
	into(d, v, "node_prefix", &s.nodePrefix, d.text)
	into(d, v, "description", &s.description, d.text)
	into(d, v, "timeout_secs", &s.timeoutSecs, d.number)
	return s
}

func (d *decoder) payload(v cue.Value) (p payloadFile) {
	into(d, v, "role", &p.role, d.text)
	into(d, v, "output_name", &p.outputName, d.text)
	return p
}

func (d *decoder) roles(v cue.Value) []role { return list(d, v, d.role) }

func (d *decoder) role(v cue.Value) (r role) {
	into(d, v, "role", &r.name, d.text)
	into(d, v, "prepare_node_suffix", &r.prepareNodeSuffix, d.text)
	into(d, v, "mount_dir_name", &r.mountDirName, d.text)
	into(d, v, "device_prefix", &r.devicePrefix, d.text)
	into(d, v, "prepare_description", &r.prepareDescription, d.text)
	into(d, v, "guest_mount_path", &r.guestMountPath, d.text)
	return r
}

func (d *decoder) text(v cue.Value) string {
	s, err := v.String()
	d.fail(v, err)
	return s
}

func (d *decoder) texts(v cue.Value) []string { return list(d, v, d.text) }

func (d *decoder) flag(v cue.Value) bool {
	b, err := v.Bool()
	d.fail(v, err)
	return b
}

func (d *decoder) number(v cue.Value) int {
	n, err := v.Int64()
	d.fail(v, err)
	return int(n)
}

func list[T any](d *decoder, v cue.Value, each func(cue.Value) T) []T {
	out := []T{}
	it, err := v.List()
	if err != nil {
		d.fail(v, err)
		return out
	}
	for it.Next() {
		out = append(out, each(it.Value()))
	}
	return out
}
