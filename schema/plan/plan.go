package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is the schema version that this package reads and writes.
const Version = 1

// Plan is the checked graph of nodes plus the payload specs: pure data, a
// function of lane files, schema and selection only. Every path in it is
// relative, to the run directory unless its field says otherwise.
type Plan struct {
	// SchemaVersion is read before all else; another one is refused.
	SchemaVersion int `json:"schema_version"`
	// Digest is "sha256:" and the hex SHA-256 of the canonical encoding
	// without digest and sources.
	Digest string `json:"digest"`
	// Sources are the files that the plan was compiled from, sorted by path.
	Sources []Source `json:"sources"`
	// Selection is what was asked for.
	Selection Selection `json:"selection"`
	// Snapshot says how the source tree is copied before anything runs.
	Snapshot Snapshot `json:"snapshot"`
	// Lanes are all lanes of the lane files in order of their ids, the ones
	// not chosen too, so that a skip is seen.
	Lanes []Lane `json:"lanes"`
	// Jobs are the jobs of chosen lanes, lane by lane, in authored order.
	Jobs []Job `json:"jobs"`
	// Nodes are the steps, dependencies first: a valid plan holds no cycle.
	Nodes []Node `json:"nodes"`
}

// Source is one file that was read to make the plan.
type Source struct {
	// Path is relative to the root of the CUE module, with slashes. The
	// embedded schema's files begin with "embedded:".
	Path string `json:"path"`
	// SHA256 is the hex digest of the file's content.
	SHA256 string `json:"sha256"`
}

// Selection is what the maintainer or the runner asked for.
type Selection struct {
	// Lanes are the ids of the lanes that were named, sorted; empty: by trigger.
	Lanes []string `json:"lanes"`
	// Job is the one job that was asked for; empty: all jobs.
	Job string `json:"job,omitempty"`
	// Trigger is branch or nightly; empty where lanes were named.
	Trigger Trigger `json:"trigger,omitempty"`
	// ByPaths says that lanes were chosen by changed paths.
	ByPaths bool `json:"by_paths"`
	// ChangedPaths are those paths, sorted, relative to the repository's root.
	ChangedPaths []string `json:"changed_paths"`
}

// Trigger says when a lane runs by itself.
type Trigger string

// The triggers.
const (
	Branch  Trigger = "branch"
	Nightly Trigger = "nightly"
)

// Snapshot says how the source tree is copied.
type Snapshot struct {
	// Exclude are names at the root of the source tree that are left out,
	// beside the fixed ones: those that every chosen lane leaves out. Sorted.
	Exclude []string `json:"exclude"`
}

// Lane is what a review page shows by name.
type Lane struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// TargetID is the id that a runner asks for, if the lane has one.
	TargetID         string  `json:"target_id,omitempty"`
	Description      string  `json:"description"`
	Trigger          Trigger `json:"trigger"`
	ConcurrencyGroup string  `json:"concurrency_group,omitempty"`
	// TimeoutSecs is the time that the lane may take from the start of its
	// first node, builds included, in seconds; 0: as long as it takes.
	TimeoutSecs int `json:"timeout_secs,omitempty"`
	// Chosen says whether the selection takes the lane.
	Chosen bool `json:"chosen"`
	// Reason says in a few words why it was chosen or not.
	Reason string `json:"reason"`
	// Partial says that some of the lane's jobs were left out by --job: such
	// a lane can't pass.
	Partial bool `json:"partial"`
	// HostSetup are commands (argv) that run on the host, in the source
	// tree, before the snapshot; equal ones of several lanes run once.
	HostSetup [][]string `json:"host_setup"`
	// Jobs are ids in authored order; empty where the lane was not chosen.
	Jobs []string `json:"jobs"`
}

// Job is one command to run in one guest, or on the host.
type Job struct {
	ID          string `json:"id"`
	Lane        string `json:"lane"`
	Description string `json:"description"`
	// TimeoutSecs is the time that the command may take, in seconds, over 0.
	TimeoutSecs int `json:"timeout_secs"`
	// SilenceSecs is the time that the command may go without output, in
	// seconds; 0: as long as it lives.
	SilenceSecs int `json:"silence_secs,omitempty"`
	// User is the uid that the command runs as in the guest; 0 is root. A
	// host job runs as the user who started exec.
	User       int    `json:"user"`
	WorkingDir string `json:"working_dir"`
	// Env is the job's own environment, added to what every command gets.
	Env map[string]string `json:"env"`
	// Secrets are names only: exec finds the values in its own environment
	// or in the runner file's secret files.
	Secrets []string `json:"secrets"`
	// Needs are ids of jobs that must pass first.
	Needs []string `json:"needs"`
	// Artifacts are globs under PIKACI_ARTIFACTS of files to bring back.
	Artifacts []string `json:"artifacts"`
	// WritableWorkspace gives the job its own writable copy of the snapshot.
	WritableWorkspace bool `json:"writable_workspace"`
	// Retries is how often a failed command is tried again, each time in a
	// fresh instance.
	Retries int `json:"retries"`
	// Cache says whether an earlier pass of the same inputs may stand in.
	Cache bool `json:"cache"`
	// Finally makes the job run after the lane's other jobs have ended,
	// however they ended.
	Finally bool `json:"finally"`
	// HostCache gives a host job its lane's kept workspace and cache folder.
	HostCache bool `json:"host_cache,omitempty"`
	// DevShell is the flake's development shell whose environment a host job
	// gets; empty: none.
	DevShell string `json:"dev_shell,omitempty"`
	// Reads are globs of the files of the snapshot that the job reads, relative
	// to its root: it sees no other, and only these have a say in whether an
	// earlier pass stands in. Left out, which is not the same as empty: all.
	Reads []string `json:"reads,omitzero"`
	// Incus says what instance the job runs in; nil for a host job.
	Incus *Incus `json:"incus,omitempty"`
	// StagedPayloads are the job's payloads in mount order.
	StagedPayloads []StagedPreparedPayload `json:"staged_payloads"`
}

// Host reports whether the job runs on the host.
func (j *Job) Host() bool { return j.Incus == nil }

// Incus is the instance that a lane asks for. What the host owns (project,
// storage pool, socket) is not here.
type Incus struct {
	// Image is an alias or fingerprint.
	Image string `json:"image"`
	// InstanceType is container or virtual-machine.
	InstanceType InstanceType `json:"instance_type"`
	// CPUs is the number of processors, over 0.
	CPUs int `json:"cpus"`
	// Memory is a number over 0 and its unit, MiB or GiB: "4096MiB".
	Memory string `json:"memory"`
	// Profiles are applied in this order.
	Profiles []string `json:"profiles"`
	// Network is none, or the name of a network of the host.
	Network string `json:"network"`
	// GuestRunner is a program of the image that runs the command; empty:
	// pikaci's own does.
	GuestRunner string `json:"guest_runner,omitempty"`
}

// MemoryMiB is the memory in mebibytes; an error where it is not a number over
// 0 with MiB or GiB.
func (i *Incus) MemoryMiB() (int, error) {
	unit := 1
	digits, found := strings.CutSuffix(i.Memory, "MiB")
	if !found {
		digits, found = strings.CutSuffix(i.Memory, "GiB")
		unit = 1024
	}
	n, err := strconv.Atoi(digits)
	if !found || err != nil || n <= 0 || n > maxMemoryMiB/unit {
		return 0, fmt.Errorf("memory %q: want a number over 0 with MiB or GiB, like 4096MiB", i.Memory)
	}
	return n * unit, nil
}

// maxMemoryMiB is 64 TiB: beyond it a number is a mistake.
const maxMemoryMiB = 64 << 20

// InstanceType is the kind of an Incus instance.
type InstanceType string

// The instance types.
const (
	Container      InstanceType = "container"
	VirtualMachine InstanceType = "virtual-machine"
)

// StagedPreparedPayload is one role of one lane, fully described for one job.
// One function of the compiler makes it, before any node is made; everything
// that mounts, links or builds reads it and derives nothing again.
type StagedPreparedPayload struct {
	// PrepareNodeID is the node that builds it.
	PrepareNodeID string `json:"prepare_node_id"`
	// Installable is what Nix is asked for, from within the run directory:
	// path:snapshot#<output name>.
	Installable string `json:"installable"`
	OutputName  string `json:"output_name"`
	// LocalMountPath is where the built output is linked:
	// jobs/<job>/staged-linux-rust/<role's mount dir>.
	LocalMountPath string `json:"local_mount_path"`
	// DevicePrefix begins the names of the mounts' Incus devices.
	DevicePrefix       string `json:"device_prefix"`
	PrepareDescription string `json:"prepare_description"`
	Role               string `json:"role"`
	// GuestMountPath is where an output without a manifest is mounted whole.
	GuestMountPath string `json:"guest_mount_path"`
	// PrepareTimeoutSecs is the time that its build may take, in seconds; 0:
	// as long as it takes.
	PrepareTimeoutSecs int `json:"prepare_timeout_secs,omitempty"`
}

// Node is a step. Exactly one of the operations is set.
type Node struct {
	ID          string `json:"id"`
	Description string `json:"description"`
	// DependsOn are ids of nodes that stand earlier in the plan.
	DependsOn []string `json:"depends_on"`
	// Jobs are the ids of the jobs that wait for the node, in plan order.
	Jobs []string `json:"jobs"`

	NixBuild      *NixBuild      `json:"nix_build,omitempty"`
	IncusInstance *IncusInstance `json:"incus_instance,omitempty"`
	GuestCommand  *GuestCommand  `json:"guest_command,omitempty"`
	HostCommand   *HostCommand   `json:"host_command,omitempty"`
}

// NixBuild builds one output.
type NixBuild struct {
	Installable string `json:"installable"`
	OutputName  string `json:"output_name"`
	// TimeoutSecs is the time that the build may take, in seconds; 0: as long
	// as it takes.
	TimeoutSecs int `json:"timeout_secs,omitempty"`
}

// IncusInstance makes a job's instance ready.
type IncusInstance struct {
	Job string `json:"job"`
}

// GuestCommand runs a job's command in its instance.
type GuestCommand struct {
	Job     string   `json:"job"`
	Command []string `json:"command"`
}

// HostCommand runs a job's command on the host.
type HostCommand struct {
	Job     string   `json:"job"`
	Command []string `json:"command"`
}

// Prepares reports whether the node makes something ready, rather than runs a
// job's command.
func (n *Node) Prepares() bool { return n.NixBuild != nil || n.IncusInstance != nil }

// Command is the argv that an execute node runs, and nil for a prepare node.
func (n *Node) Command() []string {
	switch {
	case n.GuestCommand != nil:
		return n.GuestCommand.Command
	case n.HostCommand != nil:
		return n.HostCommand.Command
	}
	return nil
}

// PrepareRunnerID is the id of the node that makes a job's instance.
func PrepareRunnerID(job string) string { return "prepare-" + job + "-runner" }

// ExecuteID is the id of the node that runs a job's command.
func ExecuteID(job string) string { return "execute-" + job }
