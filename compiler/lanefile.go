package compiler

import "github.com/sledtools/pikaci/schema/plan"

// The defaults of lane files, which the schema's comments name.
const (
	defaultTimeoutSecs = 1800
	defaultUser        = 1000
	defaultWorkingDir  = "/workspace/snapshot"
	defaultHostDir     = "."
	defaultImage       = "pikaci/dev"
	defaultCPUs        = 2
	defaultMemory      = "4096MiB"
	defaultNetwork     = "none"
	defaultProfile     = "default"
)

// laneFile is a lane as authored, with the defaults filled in.
type laneFile struct {
	// id is the key; said is the id that the lane itself gives, if any.
	id, said         string
	title            string
	description      string
	targetID         string
	trigger          plan.Trigger
	concurrencyGroup string
	timeoutSecs      int
	paths            []string
	// saysPaths says that paths were written, if empty.
	saysPaths       bool
	system          string
	sharedPrepare   *sharedPrepare
	payloads        []payloadFile
	roles           []role
	snapshotExclude []string
	incus           plan.Incus
	hostSetup       [][]string
	hostCache       bool
	devShell        string
	jobs            []jobFile
}

type sharedPrepare struct {
	nodePrefix, description string
	// timeoutSecs is 0 for no limit, as all limits here.
	timeoutSecs int
}

type payloadFile struct{ role, outputName string }

// role says what a staged output is for.
type role struct {
	name               string
	prepareNodeSuffix  string
	mountDirName       string
	devicePrefix       string
	prepareDescription string
	guestMountPath     string
}

// jobFile is a job as authored, with the defaults filled in.
type jobFile struct {
	// id is the key; said is the id that the job itself gives, if any.
	id, said          string
	description       string
	command           []string
	host              bool
	timeoutSecs       int
	silenceSecs       int
	user              int
	workingDir        string
	env               map[string]string
	secrets           []string
	retries           int
	writableWorkspace bool
	artifacts         []string
	// reads is nil where the lane does not say.
	reads []string
	needs []string
	// cache is nil where the lane does not say.
	cache   *bool
	finally bool
}

func newLaneFile(id string) laneFile {
	return laneFile{
		id:              id,
		said:            id,
		trigger:         plan.Branch,
		paths:           []string{},
		snapshotExclude: []string{},
		hostSetup:       [][]string{},
		incus:           defaultIncus(),
	}
}

func defaultIncus() plan.Incus {
	return plan.Incus{
		Image:        defaultImage,
		InstanceType: plan.VirtualMachine,
		CPUs:         defaultCPUs,
		Memory:       defaultMemory,
		Profiles:     []string{defaultProfile},
		Network:      defaultNetwork,
	}
}

func newJobFile(id string) jobFile {
	return jobFile{
		id:          id,
		said:        id,
		timeoutSecs: defaultTimeoutSecs,
		user:        defaultUser,
		env:         map[string]string{},
		secrets:     []string{},
		artifacts:   []string{},
		needs:       []string{},
	}
}
