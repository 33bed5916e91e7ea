package incus

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/runtime/payload"
	"github.com/sledtools/pikaci/schema/plan"
)

// Names of the devices that every instance of ours has.
const (
	snapshotDevice = "pk-snapshot"
	programDevice  = "pk-program"
)

// maxClosure is how many store paths beside the outputs a guest may be given.
const maxClosure = 512

// storeDir is where Nix keeps what it builds; nothing else is mounted for a
// payload's closure.
const storeDir = "/nix/store"

// disk is a read-only mount of a host path. It is never shifted: a shifted one
// that is plugged in later can be made writable by the guest's root.
func disk(in *plan.Incus, source, path string) map[string]string {
	d := map[string]string{"type": "disk", "source": source, "path": path, "readonly": "true"}
	if in.InstanceType == plan.VirtualMachine {
		d["io.bus"] = "virtiofs"
	}
	return d
}

// baseDevices are in the create request: what is known before any build.
func baseDevices(o Options, j *runtime.JobContext, programDir string) api.DevicesMap {
	in := j.Job.Incus
	d := api.DevicesMap{
		snapshotDevice: disk(in, j.Workspace(), guest.Snapshot),
		programDevice:  disk(in, programDir, guest.ProgramDir),
	}
	if o.StoragePool != "" {
		d["root"] = map[string]string{"type": "disk", "path": "/", "pool": o.StoragePool}
	}
	if in.Network != "none" {
		d["eth0"] = map[string]string{"type": "nic", "network": in.Network}
	}
	return d
}

// payloadDevices are the mounts of the job's built payloads: as their
// manifests say, and the rest of their closures at their own paths.
func payloadDevices(j *runtime.JobContext) (api.DevicesMap, error) {
	m := newMounts(j.Job.Incus)
	var closure []string
	for _, s := range j.Job.StagedPayloads {
		link := filepath.Join(j.RunContext.Dir, s.LocalMountPath)
		output, err := os.Readlink(link)
		if err != nil {
			return nil, fmt.Errorf("payload %s was not linked: %w", s.Role, err)
		}
		manifest, err := payload.ReadManifest(output)
		if err != nil {
			return nil, err
		}
		mounts, err := payload.Mounts(s, output, manifest)
		if err != nil {
			return nil, err
		}
		for _, mount := range mounts {
			what := "mount " + mount.Name + " of payload " + s.Role
			if err := m.add(deviceName(s.DevicePrefix, mount.Name), what, mount.Source, mount.GuestPath); err != nil {
				return nil, err
			}
		}
		list, err := readClosure(payload.ClosurePath(link))
		if err != nil {
			return nil, err
		}
		closure = append(closure, list...)
	}
	return m.devices, m.addClosure(closure)
}

// mounts are devices that get in nobody's way. Names and places come from a
// payload's manifest and are hostile.
type mounts struct {
	in      *plan.Incus
	devices api.DevicesMap
	// names says of each device, and places of each path in the guest, what
	// has it already.
	names, places map[string]string
}

func newMounts(in *plan.Incus) *mounts {
	return &mounts{in: in, devices: api.DevicesMap{},
		names: map[string]string{snapshotDevice: "the snapshot", programDevice: "the guest program"},
		places: map[string]string{guest.Snapshot: "the snapshot", guest.ProgramDir: "the guest program",
			guest.Dir: "the job's own places", guest.RunDir: "the job's own places"}}
}

func (m *mounts) add(name, what, source, path string) error {
	for other, its := range m.places {
		if within(path, other) || within(other, path) {
			return fmt.Errorf("%s at %s overlaps %s at %s", what, path, its, other)
		}
	}
	if other, taken := m.names[name]; taken {
		return fmt.Errorf("%s has the same device name as %s: %s", what, other, name)
	}
	m.places[path], m.names[name] = what, what
	m.devices[name] = disk(m.in, source, path)
	return nil
}

// addClosure mounts each store path at its own place, once.
func (m *mounts) addClosure(closure []string) error {
	slices.Sort(closure)
	closure = slices.Compact(closure)
	if len(closure) > maxClosure {
		return fmt.Errorf("the payloads need over %d store paths", maxClosure)
	}
	for _, path := range closure {
		sum := sha256.Sum256([]byte(path))
		if err := m.add("pk-store-"+hex.EncodeToString(sum[:5]), "store path", path, path); err != nil {
			return err
		}
	}
	return nil
}

// within reports whether path is dir or below it.
func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// readClosure reads the list beside a payload's link.
func readClosure(name string) ([]string, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(b)) {
		path := strings.TrimSuffix(line, "\n")
		if filepath.Dir(path) != storeDir || filepath.Clean(path) != path {
			return nil, fmt.Errorf("closure names %q, which is not a store path", path)
		}
		list = append(list, path)
	}
	return list, nil
}

// maxDeviceName is the longest name of a payload mount's device.
const maxDeviceName = 20

// deviceName is the name of a payload mount's device: pk-<prefix>-<mount>, made
// of lower-case letters, digits and dashes, or a short form with a digest.
func deviceName(prefix, mount string) string {
	long := "pk-" + plainName(prefix+"-"+mount)
	if len(long) <= maxDeviceName {
		return long
	}
	sum := sha256.Sum256([]byte(long))
	short := plainName(prefix)
	return "pk-" + short[:min(8, len(short))] + "-" + hex.EncodeToString(sum[:4])
}

func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s)
	return strings.Trim(s, "-")
}
