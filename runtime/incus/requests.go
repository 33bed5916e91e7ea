package incus

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strconv"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/schema/plan"
)

// Marks by which an instance is known as ours, and whose it is.
const (
	markRoot = "user.pikaci.root"
	markRun  = "user.pikaci.run"
	markNode = "user.pikaci.node"
	markJob  = "user.pikaci.job"
)

// InstanceName is the name of a job's instance: pikaci- and the first 6 bytes,
// in hex, of SHA-256("<run id>:<job id>").
func InstanceName(runID, job string) string {
	sum := sha256.Sum256([]byte(runID + ":" + job))
	return "pikaci-" + hex.EncodeToString(sum[:6])
}

// createInstance is the one request that makes a job's instance: stopped, not
// ephemeral, marked, with all that is known before any build. Networks that
// profiles bring are taken away, whether the lane names one or none: nics are
// those devices.
func createInstance(o Options, j *runtime.JobContext, programDir string, nics []string) api.InstancesPost {
	in := j.Job.Incus
	devices := baseDevices(o, j, programDir)
	for _, name := range nics {
		if devices[name] == nil {
			devices[name] = map[string]string{"type": "none"}
		}
	}
	p := api.InstancesPost{
		Name:   InstanceName(j.ID, j.Job.ID),
		Type:   api.InstanceType(in.InstanceType),
		Source: api.InstanceSource{Type: "image", Alias: in.Image},
		InstancePut: api.InstancePut{
			Profiles: in.Profiles,
			Devices:  devices,
			Config: api.ConfigMap{
				"limits.cpu":     strconv.Itoa(in.CPUs),
				"limits.memory":  in.Memory,
				"boot.autostart": "false",
				markRun:          j.ID,
				markNode:         plan.PrepareRunnerID(j.Job.ID),
				markJob:          j.Job.ID,
			},
		},
	}
	if o.Root != "" {
		p.Config[markRoot] = o.Root
	}
	// A profile of the lane's choice might say otherwise: root of a privileged
	// container may write to every mount. Virtual machines have no such key.
	if in.InstanceType == plan.Container {
		p.Config["security.privileged"] = "false"
	}
	if isFingerprint(in.Image) {
		p.Source.Alias, p.Source.Fingerprint = "", in.Image
	}
	return p
}

// isFingerprint tells an image's fingerprint from an alias.
func isFingerprint(image string) bool {
	_, err := hex.DecodeString(image)
	return err == nil && len(image) == 64
}

// withPayloads is the one update that gives an instance its payloads.
func withPayloads(put api.InstancePut, devices api.DevicesMap) api.InstancePut {
	all := maps.Clone(put.Devices)
	maps.Copy(all, devices)
	put.Devices = all
	return put
}

// hasDevices reports whether all of the devices are the instance's already.
func hasDevices(put api.InstancePut, devices api.DevicesMap) bool {
	for name, d := range devices {
		if !maps.Equal(put.Devices[name], d) {
			return false
		}
	}
	return true
}

func startInstance() api.InstanceStatePut { return api.InstanceStatePut{Action: "start", Timeout: -1} }
func stopInstance() api.InstanceStatePut {
	return api.InstanceStatePut{Action: "stop", Timeout: -1, Force: true}
}

// execGuest starts the guest program. What it is to run goes over its stdin:
// an exec's arguments and environment are shown to all who may list
// operations.
func execGuest() api.InstanceExecPost {
	return api.InstanceExecPost{
		Command:   []string{guest.Program, "run"},
		WaitForWS: true, Environment: map[string]string{}, Cwd: "/",
	}
}

// guestStart is what the guest program is told.
func guestStart(j *runtime.JobContext, command []string) guest.Start {
	start := guest.Start{Request: guest.Request{
		Argv: command, Env: j.Environment(runtime.GuestArtifactsDir), User: j.Job.User,
		WorkingDir: j.Job.WorkingDir, Timeout: timeoutOf(j), Writable: j.Job.WritableWorkspace,
		Runner: j.Job.Incus.GuestRunner,
	}}
	if start.Request.Runner != "" {
		start.Request.Secrets = j.Job.Secrets
	}
	if len(j.Job.Artifacts) > 0 {
		start.Artifacts = &guest.Wanted{Globs: j.Job.Artifacts, Bytes: j.Limits.ArtifactBytes, Files: j.Limits.ArtifactFiles}
	}
	return start
}
