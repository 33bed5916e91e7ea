// Package event is what a run says about itself: small facts, one a line of
// events.jsonl, in the order in which they happened. All other records and
// reports are folds of them.
//
// It is a leaf: it knows no executor, no file and no reader.
package event

import "time"

// SchemaVersion is of the events as a whole; the journal's first line says it.
const SchemaVersion = 1

// Event is one thing that happened. Exactly one of the bodies is set.
type Event struct {
	// Seq counts from 1 without gaps within a run.
	Seq int64 `json:"seq"`
	// Time is UTC.
	Time time.Time `json:"time"`

	JournalOpened  *JournalOpened  `json:"journal_opened,omitempty"`
	RunStarted     *RunStarted     `json:"run_started,omitempty"`
	Resumed        *Resumed        `json:"resumed,omitempty"`
	PhaseStarted   *PhaseStarted   `json:"phase_started,omitempty"`
	PhaseFinished  *PhaseFinished  `json:"phase_finished,omitempty"`
	SnapshotTaken  *SnapshotTaken  `json:"snapshot_taken,omitempty"`
	NodeStarted    *NodeStarted    `json:"node_started,omitempty"`
	NodeRetried    *NodeRetried    `json:"node_retried,omitempty"`
	NodeFinished   *NodeFinished   `json:"node_finished,omitempty"`
	PayloadReady   *PayloadReady   `json:"payload_ready,omitempty"`
	ResultLookedUp *ResultLookedUp `json:"result_looked_up,omitempty"`
	GroupWaited    *GroupWaited    `json:"group_waited,omitempty"`
	CacheWaited    *CacheWaited    `json:"cache_waited,omitempty"`
	LeaseIntended  *Lease          `json:"lease_intended,omitempty"`
	LeaseTaken     *Lease          `json:"lease_taken,omitempty"`
	LeaseReleased  *Lease          `json:"lease_released,omitempty"`
	LeaseLeft      *LeaseLeft      `json:"lease_left,omitempty"`
	LeaseKept      *LeaseKept      `json:"lease_kept,omitempty"`
	Artifact       *Artifact       `json:"artifact,omitempty"`
	LogTruncated   *LogTruncated   `json:"log_truncated,omitempty"`
	Interrupted    *Interrupted    `json:"interrupted,omitempty"`
	JobFinished    *JobFinished    `json:"job_finished,omitempty"`
	LaneFinished   *LaneFinished   `json:"lane_finished,omitempty"`
	RunFinished    *RunFinished    `json:"run_finished,omitempty"`
	// Log is only shown to whoever watches, with seq 0, and never journalled:
	// the log files hold the same bytes.
	Log *Log `json:"log,omitempty"`
	// Heartbeat is only shown, like Log: it is what the events before it say.
	Heartbeat *Heartbeat `json:"heartbeat,omitempty"`
	// Transfer is only shown, like Log: how far a copy is that takes long.
	Transfer *Transfer `json:"transfer,omitempty"`
}

// JournalOpened is the first line of every journal.
type JournalOpened struct {
	SchemaVersion int    `json:"schema_version"`
	RunID         string `json:"run_id"`
	Pikaci        string `json:"pikaci"`
}

// RunStarted says what is being carried out and where.
type RunStarted struct {
	PlanDigest string `json:"plan_digest"`
	SourceRoot string `json:"source_root"`
	RunDir     string `json:"run_dir"`
	// Parallel is the most commands at one time; 0: as many as CPUs and
	// MemoryMiB carry, where those are set.
	Parallel  int      `json:"parallel"`
	CPUs      int      `json:"cpus,omitempty"`
	MemoryMiB int      `json:"memory_mib,omitempty"`
	Lanes     []string `json:"lanes"`
	Jobs      []string `json:"jobs"`
	// PrepareOnly says that only payloads are built: no job gets a verdict.
	PrepareOnly bool `json:"prepare_only,omitempty"`
	// Job is the one that was asked for, with those that it needs.
	Job      string `json:"job,omitempty"`
	FailFast bool   `json:"fail_fast,omitempty"`
	// TimeoutMS is how long the run may take; 0: as long as it takes.
	TimeoutMS int64 `json:"timeout_ms,omitempty"`
	NoCache   bool  `json:"no_cache,omitempty"`
	// HostDigest is of what the host decided in place of the plan.
	HostDigest string `json:"host_digest,omitempty"`
	// TraceParent is where the run stands in the trace of who started it, and
	// Trace the place of its own span; both as TRACEPARENT writes it.
	TraceParent string `json:"trace_parent,omitempty"`
	Trace       string `json:"trace,omitempty"`
}

// Resumed says that another process goes on with a run whose owner was killed.
type Resumed struct {
	Pikaci string `json:"pikaci"`
	// Finished is the number of nodes that had ended.
	Finished int `json:"finished"`
	// Torn is how many bytes of an event that was cut off were taken away.
	Torn int64 `json:"torn,omitempty"`
}

// Phase is a stretch of time within a run, a node or a job.
type Phase string

// The phases. The first three are of the run, the others of a node.
const (
	HostSetup Phase = "host_setup"
	Snapshot  Phase = "snapshot"
	CleanUp   Phase = "clean_up"
	Build     Phase = "build"
	Create    Phase = "create"
	Devices   Phase = "devices"
	Start     Phase = "start"
	Workspace Phase = "workspace"
	Command   Phase = "command"
	Artifacts Phase = "artifacts"
	Delete    Phase = "delete"
)

// PhaseStarted opens a phase.
type PhaseStarted struct {
	Phase  Phase  `json:"phase"`
	Node   string `json:"node,omitempty"`
	Job    string `json:"job,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// PhaseFinished ends the phase of the same phase, node and job.
type PhaseFinished struct {
	Phase Phase  `json:"phase"`
	Node  string `json:"node,omitempty"`
	Job   string `json:"job,omitempty"`
	// Detail is that of a host_setup phase: the command.
	Detail     string `json:"detail,omitempty"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error,omitempty"`
}

// SnapshotTaken describes the filtered copy of the source tree.
type SnapshotTaken struct {
	ContentHash string `json:"content_hash"`
	Files       int    `json:"files"`
	Bytes       int64  `json:"bytes"`
	GitHead     string `json:"git_head,omitempty"`
	GitDirty    bool   `json:"git_dirty"`
	// CopyOf is the run whose snapshot is linked to, where the tree is the same
	// and no job was to run.
	CopyOf string `json:"copy_of,omitempty"`
}

// NodeStarted says that a worker carries out the node.
type NodeStarted struct {
	Node    string `json:"node"`
	Attempt int    `json:"attempt"`
	// Stdout and Stderr are how long the job's logs were before a further
	// attempt.
	Stdout int64 `json:"stdout,omitempty"`
	Stderr int64 `json:"stderr,omitempty"`
}

// Verdict is how a node, job, lane or run ended.
type Verdict string

// The verdicts. A partial lane had jobs left out: it did not pass.
const (
	Passed    Verdict = "passed"
	Failed    Verdict = "failed"
	Cancelled Verdict = "cancelled"
	Skipped   Verdict = "skipped"
	Cached    Verdict = "cached"
	Partial   Verdict = "partial"
)

// Failure is the kind of a failure.
type Failure string

// The kinds of failure.
const (
	// Test: the command ran and did not exit with 0.
	Test Failure = "test"
	// Timeout: the command did not end in its time.
	Timeout Failure = "timeout"
	// Prepare: a payload could not be built or mounted.
	Prepare Failure = "prepare"
	// Infra: the node could not be carried out; nothing is known of the code.
	Infra Failure = "infra"
)

// Outcome is how something ended and why.
type Outcome struct {
	Verdict Verdict `json:"verdict"`
	// Failure is set where the verdict is failed.
	Failure Failure `json:"failure,omitempty"`
	// Reason is one line for a person; empty where all is said.
	Reason string `json:"reason,omitempty"`
	// ExitCode of the command, where it exited.
	ExitCode *int `json:"exit_code,omitempty"`
	// Signal that ended the command, like SIGSEGV.
	Signal string `json:"signal,omitempty"`
	// CachedFrom is the run whose pass stands in, where the verdict is cached.
	CachedFrom string `json:"cached_from,omitempty"`
}

// NodeRetried says that an attempt failed and another one follows.
type NodeRetried struct {
	Node    string `json:"node"`
	Attempt int    `json:"attempt"`
	Outcome
}

// NodeFinished ends a node, once.
type NodeFinished struct {
	Node string `json:"node"`
	Outcome
}

// PayloadReady says what a prepare node built.
type PayloadReady struct {
	Node        string     `json:"node"`
	OutputName  string     `json:"output_name"`
	Installable string     `json:"installable"`
	StorePath   string     `json:"store_path"`
	Exposures   []Exposure `json:"exposures"`
	// Bytes is the output's size as Nix counts it, that of its archive (NAR).
	Bytes int64 `json:"bytes,omitempty"`
	// ClosureBytes is that of the output with all that it needs to run.
	ClosureBytes int64 `json:"closure_bytes,omitempty"`
	// Manifest is the output's payload manifest, nil where it has none.
	Manifest *Manifest `json:"manifest,omitempty"`
}

// ResultLookedUp says whether a pass of an earlier run stands in for a job.
type ResultLookedUp struct {
	Job string `json:"job"`
	// Key is of all parts together; empty where an earlier pass may not stand
	// in.
	Key string `json:"key,omitempty"`
	// Parts are what the result hangs on.
	Parts []Part `json:"parts,omitempty"`
	// Found says that the pass of Run stands in.
	Found bool `json:"found"`
	// Run is the run of that pass; of none that stands in, that of the job's
	// last pass, from which it differs.
	Run string `json:"run,omitempty"`
	// Differs are the parts in which the job is not that of the last pass.
	Differs []string `json:"differs,omitempty"`
	// Reason is why none stands in, where it is not that parts differ.
	Reason string `json:"reason,omitempty"`
}

// Part is one thing that a job's result hangs on: itself where it is short and
// tells something, else its digest.
type Part struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// PartReads is the name of the part that is what the job says that it reads of
// the snapshot.
const PartReads = "reads"

// Exposure is a place under the run directory that links to the output.
type Exposure struct {
	Job  string `json:"job"`
	Path string `json:"path"`
}

// Manifest is what share/pikaci/payload-manifest.json of an output says.
type Manifest struct {
	SchemaVersion int             `json:"schema_version"`
	Kind          string          `json:"kind"`
	Entrypoints   []ManifestEntry `json:"entrypoints"`
	AssetRoots    []ManifestEntry `json:"asset_roots"`
	Mounts        []ManifestMount `json:"mounts"`
}

// ManifestEntry names a path inside the output.
type ManifestEntry struct {
	Name         string `json:"name"`
	RelativePath string `json:"relative_path"`
}

// ManifestMount is a folder of the output and where the guest sees it.
type ManifestMount struct {
	Name         string `json:"name"`
	RelativePath string `json:"relative_path"`
	GuestPath    string `json:"guest_path"`
	ReadOnly     bool   `json:"read_only"`
}

// Lease is something that was made for a run outside its directory, and must
// be taken back. It is journalled as intended before it is made.
type Lease struct {
	// Kind is incus_instance.
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Project string `json:"project,omitempty"`
	Node    string `json:"node"`
	Job     string `json:"job"`
	// UUID is Incus' volatile.uuid, known once taken.
	UUID string `json:"uuid,omitempty"`
}

// LeaseLeft says what could not be taken back, and how to.
type LeaseLeft struct {
	Lease
	Error   string `json:"error"`
	Command string `json:"command"`
}

// LeaseKept says that an instance was not taken back, so that somebody may look
// into it: gc takes it once its time is over.
type LeaseKept struct {
	Lease
	Until time.Time `json:"until"`
}

// Artifact is a file that was brought back, or refused.
type Artifact struct {
	Job string `json:"job"`
	// Path is relative to the job's artifacts folder.
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
	// Refused says why the file was not brought back.
	Refused string `json:"refused,omitempty"`
}

// LogTruncated says that a log reached its ceiling: the rest was not kept.
type LogTruncated struct {
	Job    string `json:"job"`
	Stream Stream `json:"stream"`
	Bytes  int64  `json:"bytes"`
}

// GroupWaited says that a lane can't start yet: another has its concurrency
// group, of this run or of another one on this host.
type GroupWaited struct {
	Lane   string `json:"lane"`
	Group  string `json:"group"`
	Holder string `json:"holder"`
}

// CacheWaited says that a host job can't start yet: another one has what their
// lane keeps, of this run or of another one of the state root.
type CacheWaited struct {
	Job    string `json:"job"`
	Lane   string `json:"lane"`
	Holder string `json:"holder"`
}

// Interrupted says that the run was asked to stop.
type Interrupted struct {
	Reason string `json:"reason"`
}

// JobFinished is a job's verdict.
type JobFinished struct {
	Job  string `json:"job"`
	Lane string `json:"lane"`
	Outcome
	// DurationMS is from the start of its command's node, builds not counted.
	DurationMS int64 `json:"duration_ms"`
}

// LaneFinished is a lane's verdict: the worst of its jobs'.
type LaneFinished struct {
	Lane    string  `json:"lane"`
	Verdict Verdict `json:"verdict"`
}

// RunFinished is the last event of a run that ended by itself.
type RunFinished struct {
	Verdict    Verdict `json:"verdict"`
	ExitCode   int     `json:"exit_code"`
	Reason     string  `json:"reason,omitempty"`
	DurationMS int64   `json:"duration_ms"`
}

// Stream is one of a job's logs.
type Stream string

// The streams: the command's two, and what the host did for the job.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
	Host   Stream = "host"
)

// Log is one line of a log, without its end of line.
type Log struct {
	Job    string `json:"job"`
	Stream Stream `json:"stream"`
	Line   string `json:"line"`
	// Missed is set in place of a line: so many bytes of the log were not
	// shown here, because whoever watches was too slow.
	Missed int64 `json:"missed,omitempty"`
}

// Transfer says how far the copying of a phase is, at most four times a second.
type Transfer struct {
	Phase Phase  `json:"phase"`
	Node  string `json:"node,omitempty"`
	Job   string `json:"job,omitempty"`
	Bytes int64  `json:"bytes"`
	// TotalBytes is how many there are to copy; 0 where that is not known yet.
	TotalBytes int64 `json:"total_bytes,omitempty"`
}

// Heartbeat says from time to time what goes on in a run.
type Heartbeat struct {
	ElapsedMS int64 `json:"elapsed_ms"`
	// Slots is how many commands may run at one time, SlotsUsed how many do.
	// Slots is 0 where processors are counted alone.
	Slots     int `json:"slots"`
	SlotsUsed int `json:"slots_used"`
	// CPUs is how many processors commands may ask for together, CPUsUsed how
	// many they do; 0 where commands are counted alone.
	CPUs     int       `json:"cpus,omitempty"`
	CPUsUsed int       `json:"cpus_used,omitempty"`
	Running  []Running `json:"running"`
	Waiting  []Waiting `json:"waiting"`
}

// Running is a node, or a phase of the run, that goes on.
type Running struct {
	Node string `json:"node,omitempty"`
	// Job is that of an instance or a command; a build may be of many jobs.
	Job       string `json:"job,omitempty"`
	Phase     Phase  `json:"phase,omitempty"`
	ElapsedMS int64  `json:"elapsed_ms"`
	// UsualMS is how long the node took in earlier runs, where there are any.
	UsualMS int64 `json:"usual_ms,omitempty"`
	// Bytes is how much the phase has copied, TotalBytes how much there is to
	// copy, as far as that is known.
	Bytes      int64 `json:"bytes,omitempty"`
	TotalBytes int64 `json:"total_bytes,omitempty"`
}

// Awaited is the kind of what a job waits for.
type Awaited string

// What a job may wait for before its command starts.
const (
	ForSlot     Awaited = "slot"
	ForSnapshot Awaited = "snapshot"
	ForPayload  Awaited = "payload"
	ForInstance Awaited = "instance"
	ForJob      Awaited = "job"
	ForGroup    Awaited = "group"
	ForCache    Awaited = "cache"
)

// Waiting is a job whose command is not begun.
type Waiting struct {
	Job string  `json:"job"`
	For Awaited `json:"for"`
	// Name is the node or job that is waited for, or who has the group or the cache.
	Name string `json:"name,omitempty"`
}
