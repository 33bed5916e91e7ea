package compiler

import (
	"fmt"

	"cuelang.org/go/cue"

	"github.com/sledtools/pikaci/schema/plan"
)

// decodeLanes turns the evaluated package into Go data. The value has been
// validated, so every mistake found here is one that the schema lets through.
// Fields are walked once each: cue.Value.Decode takes ten times as long.
func decodeLanes(v cue.Value, p *places) ([]laneFile, []role, error) {
	var d decoder
	var lanes []laneFile
	var roles []role
	d.fields(v, func(name string, v cue.Value) {
		switch name {
		case "lanes":
			d.fields(v, func(id string, v cue.Value) { lanes = append(lanes, d.lane(id, v, p)) })
		case "roles":
			roles = list(&d, v, d.role)
		}
	})
	return lanes, roles, d.err
}

// decoder keeps the first error.
type decoder struct{ err error }

func (d *decoder) fail(v cue.Value, err error) {
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("%s: %w", v.Path(), err)
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
	d.fields(v, func(name string, v cue.Value) {
		switch name {
		case "id":
			l.said = d.text(v)
		case "title":
			l.title = d.text(v)
		case "description":
			l.description = d.text(v)
		case "target_id":
			l.targetID = d.text(v)
		case "trigger":
			l.trigger = plan.Trigger(d.text(v))
		case "concurrency_group":
			l.concurrencyGroup = d.text(v)
		case "paths":
			l.paths = list(d, v, d.text)
		case "system":
			l.system = d.text(v)
		case "shared_prepare":
			l.sharedPrepare = d.sharedPrepare(v)
		case "payloads":
			l.payloads = list(d, v, d.payload)
		case "roles":
			l.roles = list(d, v, d.role)
		case "snapshot_exclude":
			l.snapshotExclude = list(d, v, d.text)
		case "incus":
			d.incus(v, &l.incus)
		case "host_setup":
			l.hostSetup = list(d, v, d.texts)
		case "jobs":
			l.jobs = d.jobs(id, v, p)
		default:
			d.unknown(v, name)
		}
	})
	return l
}

// unknown is a field of the schema that this file forgot.
func (d *decoder) unknown(v cue.Value, name string) {
	d.fail(v, fmt.Errorf("BUG: the schema has a field %s that the compiler does not read", name))
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
	d.fields(v, func(name string, v cue.Value) {
		switch name {
		case "id":
			j.said = d.text(v)
		case "description":
			j.description = d.text(v)
		case "command":
			j.command = d.texts(v)
		case "host":
			j.host = d.flag(v)
		case "timeout_secs":
			j.timeoutSecs = d.number(v)
		case "user":
			j.user = d.number(v)
		case "working_dir":
			j.workingDir = d.text(v)
		case "env":
			d.fields(v, func(name string, v cue.Value) { j.env[name] = d.text(v) })
		case "secrets":
			j.secrets = d.texts(v)
		case "retries":
			j.retries = d.number(v)
		case "writable_workspace":
			j.writableWorkspace = d.flag(v)
		case "artifacts":
			j.artifacts = d.texts(v)
		case "needs":
			j.needs = d.texts(v)
		case "cache":
			j.cache = d.flag(v)
		case "finally":
			j.finally = d.flag(v)
		default:
			d.unknown(v, name)
		}
	})
	if j.workingDir == "" {
		j.workingDir = defaultWorkingDir
		if j.host {
			j.workingDir = defaultHostDir
		}
	}
	return j
}

func (d *decoder) incus(v cue.Value, i *plan.Incus) {
	d.fields(v, func(name string, v cue.Value) {
		switch name {
		case "image":
			i.Image = d.text(v)
		case "instance_type":
			i.InstanceType = plan.InstanceType(d.text(v))
		case "cpus":
			i.CPUs = d.number(v)
		case "memory":
			i.Memory = d.text(v)
		case "profiles":
			i.Profiles = d.texts(v)
		case "network":
			i.Network = d.text(v)
		default:
			d.unknown(v, name)
		}
	})
}

func (d *decoder) sharedPrepare(v cue.Value) *sharedPrepare {
	s := new(sharedPrepare)
	d.fields(v, func(name string, v cue.Value) {
		switch name {
		case "node_prefix":
			s.nodePrefix = d.text(v)
		case "description":
			s.description = d.text(v)
		default:
			d.unknown(v, name)
		}
	})
	return s
}

func (d *decoder) payload(v cue.Value) (p payloadFile) {
	d.fields(v, func(name string, v cue.Value) {
		switch name {
		case "role":
			p.role = d.text(v)
		case "output_name":
			p.outputName = d.text(v)
		default:
			d.unknown(v, name)
		}
	})
	return p
}

func (d *decoder) role(v cue.Value) (r role) {
	d.fields(v, func(name string, v cue.Value) {
		switch name {
		case "role":
			r.name = d.text(v)
		case "prepare_node_suffix":
			r.prepareNodeSuffix = d.text(v)
		case "mount_dir_name":
			r.mountDirName = d.text(v)
		case "device_prefix":
			r.devicePrefix = d.text(v)
		case "prepare_description":
			r.prepareDescription = d.text(v)
		case "guest_mount_path":
			r.guestMountPath = d.text(v)
		default:
			d.unknown(v, name)
		}
	})
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
