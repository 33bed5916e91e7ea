// Package runner is the runner file: what the host that runs plans owns. Where
// Incus and Nix are, how much a plan may ask for, and which secrets it may
// have. The host's ceilings win over what a plan asks.
//
// It imports the standard library and the plan only.
package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/sledtools/pikaci/schema/plan"
)

// DefaultPath is where the runner file is looked for when none is named.
const DefaultPath = "/etc/pikaci/runner.json"

// Version is the schema version that this package reads.
const Version = 1

// maxSize is the largest runner file that is read, in bytes.
const maxSize = 1 << 20

// File is the runner file. All fields but schema_version may be left out.
type File struct {
	SchemaVersion int    `json:"schema_version"`
	Incus         Incus  `json:"incus"`
	Nix           Nix    `json:"nix"`
	StateRoot     string `json:"state_root"`
	// Parallel is the number of commands at one time; 0: what cpus and
	// memory of the host carry.
	Parallel int      `json:"parallel"`
	Ceilings Ceilings `json:"ceilings"`
	// Secrets are what jobs may ask for by name.
	Secrets map[string]Secret `json:"secrets"`
	// HostEnv are names of variables that host jobs get from exec's own
	// environment, like SSH_AUTH_SOCK.
	HostEnv []string `json:"host_env"`
}

// Incus is where instances are made.
type Incus struct {
	// Socket of the server; empty: the usual place.
	Socket  string `json:"socket"`
	Project string `json:"project"`
	// StoragePool for the instances' root disks; empty: the profiles' own.
	StoragePool string `json:"storage_pool"`
	// Image and InstanceType override the plan's.
	Image        string            `json:"image"`
	InstanceType plan.InstanceType `json:"instance_type"`
	// Profiles override the plan's; null: the plan's.
	Profiles []string `json:"profiles"`
}

// Nix is how payloads are built.
type Nix struct {
	// Settings go to each nix call as --option NAME VALUE.
	Settings map[string]string `json:"settings"`
}

// Ceilings are the most that a plan may ask for. Zero or empty: no ceiling.
type Ceilings struct {
	// CPUs and Memory ("8GiB") of one instance.
	CPUs   int    `json:"cpus"`
	Memory string `json:"memory"`
	// TimeoutSecs of one job, in seconds.
	TimeoutSecs int `json:"timeout_secs"`
	// Parallel commands at one time.
	Parallel int `json:"parallel"`
	// Jobs of one plan.
	Jobs int `json:"jobs"`
	// InstanceTypes, Images, Profiles and Networks that may be used; images
	// may be patterns as of path.Match, like pikaci/*.
	InstanceTypes []plan.InstanceType `json:"instance_types"`
	Images        []string            `json:"images"`
	Profiles      []string            `json:"profiles"`
	Networks      []string            `json:"networks"`
	// NoHostJobs refuses jobs and host_setup that run on the host.
	NoHostJobs bool `json:"no_host_jobs"`
	// LogBytes of one stream of one job; 0: 2 GiB. The rest is dropped.
	LogBytes int64 `json:"log_bytes"`
	// ArtifactBytes and ArtifactFiles of one job; 0: 1 GiB and 10,000.
	ArtifactBytes int64 `json:"artifact_bytes"`
	ArtifactFiles int   `json:"artifact_files"`
}

// Secret says where a secret's value is. Exactly one field is set.
type Secret struct {
	// File holds the value; a final newline is cut off.
	File string `json:"file,omitempty"`
	// Env is a variable of exec's own environment.
	Env string `json:"env,omitempty"`
}

// Read reads and checks a runner file.
func Read(name string) (*File, error) {
	f, err := os.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such runner file", name)
	case err != nil:
		return nil, fmt.Errorf("read the runner file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the runner file %s: %w", name, err)
	}
	file, err := Decode(b)
	var syntax *plan.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("%s:%w", name, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return file, nil
}

// check returns all that is wrong with the values, in the order of the fields.
func (f *File) check() error {
	c := f.Ceilings
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if t := f.Incus.InstanceType; t != "" && !isInstanceType(t) {
		bad("incus.instance_type is %q: want container or virtual-machine", t)
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"parallel", int64(f.Parallel)}, {"ceilings.cpus", int64(c.CPUs)},
		{"ceilings.timeout_secs", int64(c.TimeoutSecs)}, {"ceilings.parallel", int64(c.Parallel)},
		{"ceilings.jobs", int64(c.Jobs)}, {"ceilings.log_bytes", c.LogBytes},
		{"ceilings.artifact_bytes", c.ArtifactBytes}, {"ceilings.artifact_files", int64(c.ArtifactFiles)},
	} {
		if n.value < 0 {
			bad("%s is %d: want 0 or more", n.name, n.value)
		}
	}
	if c.Memory != "" {
		if _, err := (&plan.Incus{Memory: c.Memory}).MemoryMiB(); err != nil {
			bad("ceilings: %w", err)
		}
	}
	for _, t := range c.InstanceTypes {
		if !isInstanceType(t) {
			bad("ceilings.instance_types: %q: want container or virtual-machine", t)
		}
	}
	for _, pattern := range c.Images {
		if _, err := path.Match(pattern, ""); err != nil {
			bad("ceilings.images: %q: %w", pattern, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Secrets)) {
		if s := f.Secrets[name]; (s.File == "") == (s.Env == "") {
			bad("secrets.%s: want exactly one of file and env", name)
		}
	}
	return errors.Join(errs...)
}

func isInstanceType(t plan.InstanceType) bool {
	return t == plan.Container || t == plan.VirtualMachine
}

// Override puts what the host decides in place of what the plan asks.
func (f *File) Override(p *plan.Plan) {
	for i := range p.Jobs {
		in := p.Jobs[i].Incus
		if in == nil {
			continue
		}
		if f.Incus.Image != "" {
			in.Image = f.Incus.Image
		}
		if f.Incus.InstanceType != "" {
			in.InstanceType = f.Incus.InstanceType
		}
		if f.Incus.Profiles != nil {
			in.Profiles = slices.Clone(f.Incus.Profiles)
		}
	}
}

// Refuse holds the plan against the ceilings and returns every place where it
// asks for more, joined.
func (f *File) Refuse(p *plan.Plan) error {
	c := f.Ceilings
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Jobs > 0 && len(p.Jobs) > c.Jobs {
		bad("%d jobs: this runner allows %d", len(p.Jobs), c.Jobs)
	}
	for _, l := range p.Lanes {
		if c.NoHostJobs && l.Chosen && len(l.HostSetup) > 0 {
			bad("lane %q: host_setup: this runner runs nothing on the host", l.ID)
		}
	}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if c.TimeoutSecs > 0 && j.TimeoutSecs > c.TimeoutSecs {
			bad("job %q: timeout_secs %d: this runner allows %d", j.ID, j.TimeoutSecs, c.TimeoutSecs)
		}
		for _, name := range j.Secrets {
			if _, ok := f.Secrets[name]; !ok {
				bad("job %q: secret %s: this runner grants none of that name", j.ID, name)
			}
		}
		switch {
		case !j.Host():
			errs = append(errs, c.refuseInstance(j)...)
		case c.NoHostJobs:
			bad("job %q: this runner runs nothing on the host", j.ID)
		}
	}
	return errors.Join(errs...)
}

func (c *Ceilings) refuseInstance(j *plan.Job) []error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("job %q: "+format, append([]any{j.ID}, args...)...))
	}
	in := j.Incus
	if c.CPUs > 0 && in.CPUs > c.CPUs {
		bad("cpus %d: this runner allows %d", in.CPUs, c.CPUs)
	}
	if c.Memory != "" {
		asked, _ := in.MemoryMiB() // both were checked
		allowed, _ := (&plan.Incus{Memory: c.Memory}).MemoryMiB()
		if asked > allowed {
			bad("memory %s: this runner allows %s", in.Memory, c.Memory)
		}
	}
	if len(c.InstanceTypes) > 0 && !slices.Contains(c.InstanceTypes, in.InstanceType) {
		bad("instance_type %s: this runner allows %q", in.InstanceType, c.InstanceTypes)
	}
	if len(c.Images) > 0 && !slices.ContainsFunc(c.Images, func(pattern string) bool {
		ok, _ := path.Match(pattern, in.Image)
		return ok
	}) {
		bad("image %q: this runner allows %q", in.Image, c.Images)
	}
	for _, name := range in.Profiles {
		if len(c.Profiles) > 0 && !slices.Contains(c.Profiles, name) {
			bad("profile %q: this runner allows %q", name, c.Profiles)
		}
	}
	if len(c.Networks) > 0 && in.Network != "none" && !slices.Contains(c.Networks, in.Network) {
		bad("network %q: this runner allows %q", in.Network, c.Networks)
	}
	return errs
}

// Values reads the values of all secrets that the jobs ask for.
func (f *File) Values(jobs []plan.Job, getenv func(string) (string, bool)) (map[string]string, error) {
	values := make(map[string]string)
	for _, j := range jobs {
		for _, name := range j.Secrets {
			if _, done := values[name]; done {
				continue
			}
			v, err := f.Secrets[name].value(getenv)
			if err != nil {
				return nil, fmt.Errorf("secret %s: %w", name, err)
			}
			values[name] = v
		}
	}
	return values, nil
}

// maxSecret is the largest secret, in bytes.
const maxSecret = 64 << 10

// value reads the secret. Errors say where it was looked for, never what was
// found.
func (s Secret) value(getenv func(string) (string, bool)) (string, error) {
	var v, from string
	switch {
	case s.Env != "":
		v, _ = getenv(s.Env)
		if v == "" {
			return "", fmt.Errorf("variable %s is not set", s.Env)
		}
		from = "variable " + s.Env
	case s.File != "":
		b, err := readSecret(s.File)
		if err != nil {
			return "", err
		}
		v, from = string(bytes.TrimSuffix(b, []byte("\n"))), s.File
	default:
		return "", errors.New("this runner grants none of that name")
	}
	if v == "" || len(v) > maxSecret {
		return "", fmt.Errorf("%s: want 1 to %d bytes", from, maxSecret)
	}
	if strings.Contains(v, "\x00") {
		return "", fmt.Errorf("%s holds a NUL character", from)
	}
	return v, nil
}

// readSecret reads a file, or as much of it as shows that it is too large.
func readSecret(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSecret+2)) // one more, and its newline
}
