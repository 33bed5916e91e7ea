package incus

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
		snapshotDevice: disk(in, j.Snapshot, guest.Snapshot),
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
	devices := api.DevicesMap{}
	taken := map[string]string{guest.Snapshot: "the snapshot", guest.ProgramDir: "the guest program"}
	var closure []string
	for _, s := range j.Job.StagedPayloads {
		link := filepath.Join(j.RunContext.Dir, s.LocalMountPath)
		output, err := os.Readlink(link)
		if err != nil {
			return nil, fmt.Errorf("payload %s was not linked: %w", s.Role, err)
		}
		m, err := payload.ReadManifest(output)
		if err != nil {
			return nil, err
		}
		mounts, err := payload.Mounts(s, output, m)
		if err != nil {
			return nil, err
		}
		for _, mount := range mounts {
			what := "mount " + mount.Name + " of payload " + s.Role
			if other, clash := overlap(taken, mount.GuestPath); clash {
				return nil, fmt.Errorf("%s at %s overlaps %s", what, mount.GuestPath, other)
			}
			taken[mount.GuestPath] = what
			devices[deviceName(s.DevicePrefix, mount.Name)] = disk(j.Job.Incus, mount.Source, mount.GuestPath)
		}
		list, err := readClosure(payload.ClosurePath(link))
		if err != nil {
			return nil, err
		}
		closure = append(closure, list...)
	}
	return devices, addClosure(devices, j.Job.Incus, closure)
}

// addClosure mounts each store path at its own place, once.
func addClosure(devices api.DevicesMap, in *plan.Incus, closure []string) error {
	seen := map[string]bool{}
	for _, path := range closure {
		if seen[path] {
			continue
		}
		seen[path] = true
		if len(seen) > maxClosure {
			return fmt.Errorf("the payloads need over %d store paths", maxClosure)
		}
		sum := sha256.Sum256([]byte(path))
		devices["pk-store-"+hex.EncodeToString(sum[:5])] = disk(in, path, path)
	}
	return nil
}

// readClosure reads the list beside a payload's link. An output that needs
// itself only needs no mount: its own files are mounted where the guest looks.
func readClosure(name string) ([]string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		path := lines.Text()
		if filepath.Dir(path) != storeDir || filepath.Clean(path) != path {
			return nil, fmt.Errorf("closure names %q, which is not a store path", path)
		}
		list = append(list, path)
	}
	if len(list) == 1 {
		return nil, nil
	}
	return list, nil
}

// overlap finds what is mounted at, above or below a guest path.
func overlap(taken map[string]string, path string) (string, bool) {
	for other, what := range taken {
		if other == path || strings.HasPrefix(path+"/", other+"/") || strings.HasPrefix(other+"/", path+"/") {
			return what + " at " + other, true
		}
	}
	return "", false
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
