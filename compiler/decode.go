package compiler

import (
	"fmt"
	"slices"

	"cuelang.org/go/cue"

	"github.com/sledtools/pikaci/schema/plan"
)

// decodeLanes turns the evaluated package into lanes and roles. The value has
// been validated, so every mistake found here is one that the schema lets
// through.
func decodeLanes(v data, p *places) ([]laneFile, []role, error) {
	var d decoder
	var lanes []laneFile
	var roles []role
	into(&d, v.top(), "lanes", &lanes, func(v datum) (out []laneFile) {
		d.fields(v, func(id string, v datum) { out = append(out, d.lane(id, v, p)) })
		return out
	})
	into(&d, v.top(), "roles", &roles, d.roles)
	return lanes, roles, d.err
}

// decoder keeps the first error, and tells a test the names that it looked for,
// to be held against the schema.
type decoder struct {
	err error
	ask func(name string)
}

func (d *decoder) want(v datum, kind cue.Kind) bool {
	if v.kind != kind && d.err == nil {
		d.err = fmt.Errorf("BUG: field %q is a %v, want a %v", v.label, v.kind, kind)
	}
	return v.kind == kind
}

// into decodes a field if it is there, and leaves the default if not.
func into[T any](d *decoder, v datum, name string, to *T, decode func(datum) T) {
	if d.ask != nil {
		d.ask(name)
	}
	if f, ok := v.field(name); ok {
		*to = decode(f)
	}
}

func (d *decoder) fields(v datum, each func(name string, v datum)) {
	if d.want(v, cue.StructKind) {
		for f := range v.within() {
			each(f.label, f)
		}
	}
}

func (d *decoder) lane(id string, v datum, p *places) laneFile {
	l := newLaneFile(id)
	into(d, v, "id", &l.said, d.text)
	into(d, v, "title", &l.title, d.text)
	into(d, v, "description", &l.description, d.text)
	into(d, v, "target_id", &l.targetID, d.text)
	into(d, v, "trigger", &l.trigger, func(v datum) plan.Trigger { return plan.Trigger(d.text(v)) })
	into(d, v, "concurrency_group", &l.concurrencyGroup, d.text)
	into(d, v, "timeout_secs", &l.timeoutSecs, d.number)
	into(d, v, "paths", &l.paths, func(v datum) []string { l.saysPaths = true; return d.texts(v) })
	into(d, v, "system", &l.system, d.text)
	into(d, v, "shared_prepare", &l.sharedPrepare, d.sharedPrepare)
	into(d, v, "payloads", &l.payloads, func(v datum) []payloadFile { return list(d, v, d.payload) })
	into(d, v, "roles", &l.roles, d.roles)
	into(d, v, "snapshot_exclude", &l.snapshotExclude, d.texts)
	into(d, v, "incus", &l.incus, d.incus)
	into(d, v, "host_setup", &l.hostSetup, func(v datum) [][]string { return list(d, v, d.texts) })
	into(d, v, "host_cache", &l.hostCache, d.flag)
	into(d, v, "dev_shell", &l.devShell, d.text)
	into(d, v, "jobs", &l.jobs, func(v datum) []jobFile { return d.jobs(id, v, p) })
	return l
}

// jobs keeps the order of the file: unifying with the schema does not.
func (d *decoder) jobs(lane string, v datum, p *places) []jobFile {
	byID := map[string]jobFile{}
	var ids []string
	d.fields(v, func(id string, v datum) {
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

func (d *decoder) job(id string, v datum) jobFile {
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
	into(d, v, "cache", &j.cache, func(v datum) *bool { said := d.flag(v); return &said })
	into(d, v, "finally", &j.finally, d.flag)
	if j.workingDir == "" {
		j.workingDir = defaultWorkingDir
		if j.host {
			j.workingDir = defaultHostDir
		}
	}
	return j
}

func (d *decoder) env(v datum) map[string]string {
	out := map[string]string{}
	d.fields(v, func(name string, v datum) { out[name] = d.text(v) })
	return out
}

func (d *decoder) incus(v datum) plan.Incus {
	i := defaultIncus()
	into(d, v, "image", &i.Image, d.text)
	into(d, v, "instance_type", &i.InstanceType, func(v datum) plan.InstanceType { return plan.InstanceType(d.text(v)) })
	into(d, v, "cpus", &i.CPUs, d.number)
	into(d, v, "memory", &i.Memory, d.text)
	into(d, v, "guest_runner", &i.GuestRunner, d.text)
	into(d, v, "profiles", &i.Profiles, d.texts)
	into(d, v, "network", &i.Network, d.text)
	return i
}

func (d *decoder) sharedPrepare(v datum) *sharedPrepare {
	s := new(sharedPrepare)
	into(d, v, "node_prefix", &s.nodePrefix, d.text)
	into(d, v, "description", &s.description, d.text)
	into(d, v, "timeout_secs", &s.timeoutSecs, d.number)
	return s
}

func (d *decoder) payload(v datum) (p payloadFile) {
	into(d, v, "role", &p.role, d.text)
	into(d, v, "output_name", &p.outputName, d.text)
	return p
}

func (d *decoder) roles(v datum) []role { return list(d, v, d.role) }

func (d *decoder) role(v datum) (r role) {
	into(d, v, "role", &r.name, d.text)
	into(d, v, "prepare_node_suffix", &r.prepareNodeSuffix, d.text)
	into(d, v, "mount_dir_name", &r.mountDirName, d.text)
	into(d, v, "device_prefix", &r.devicePrefix, d.text)
	into(d, v, "prepare_description", &r.prepareDescription, d.text)
	into(d, v, "guest_mount_path", &r.guestMountPath, d.text)
	return r
}

func (d *decoder) text(v datum) string {
	d.want(v, cue.StringKind)
	return v.text
}

func (d *decoder) texts(v datum) []string { return list(d, v, d.text) }

func (d *decoder) flag(v datum) bool {
	d.want(v, cue.BoolKind)
	return v.flag
}

func (d *decoder) number(v datum) int {
	d.want(v, cue.IntKind)
	return int(v.number)
}

func list[T any](d *decoder, v datum, each func(datum) T) []T {
	out := []T{}
	if d.want(v, cue.ListKind) {
		out = slices.Grow(out, int(v.count))
		for e := range v.within() {
			out = append(out, each(e))
		}
	}
	return out
}
