package compiler

import "github.com/sledtools/pikaci/schema/plan"

// snapshotRef is the flake that every installable names: the snapshot, from
// within the run directory.
const snapshotRef = "path:snapshot"

// stagedDir holds the links to built outputs in a job's directory.
const stagedDir = "staged-linux-rust"

// rolesOf is the role table of a lane: the folder's roles and its own.
func rolesOf(l *laneFile, shared []role) map[string]role {
	table := make(map[string]role, len(shared)+len(l.roles))
	for _, r := range shared {
		table[r.name] = r
	}
	for _, r := range l.roles {
		table[r.name] = r
	}
	return table
}

// stagedPayloads describes every payload of a job in full, in the lane's
// order. It is the only place where node ids, installables and paths of
// payloads are made; the graph builder and the runtime read them.
func stagedPayloads(l *laneFile, roles map[string]role, job *jobFile) []plan.StagedPreparedPayload {
	out := []plan.StagedPreparedPayload{}
	if job.host || l.sharedPrepare == nil {
		return out
	}
	for _, p := range l.payloads {
		r := roles[p.role]
		out = append(out, plan.StagedPreparedPayload{
			PrepareNodeID:      "prepare-" + l.sharedPrepare.nodePrefix + "-" + r.prepareNodeSuffix,
			Installable:        snapshotRef + "#" + p.outputName,
			OutputName:         p.outputName,
			LocalMountPath:     "jobs/" + job.id + "/" + stagedDir + "/" + r.mountDirName,
			DevicePrefix:       r.devicePrefix,
			PrepareDescription: r.prepareDescription + " for " + l.sharedPrepare.description,
			Role:               r.name,
			GuestMountPath:     r.guestMountPath,
			PrepareTimeoutSecs: l.sharedPrepare.timeoutSecs,
		})
	}
	return out
}
