// Package payload reads what a built Nix output says of itself, and works out
// which of its folders a guest sees where. An output is hostile: every path in
// its manifest is resolved and refused where it leaves the output.
package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

// ManifestPath is where an output may hold its manifest.
const ManifestPath = "share/pikaci/payload-manifest.json"

// ManifestVersion is the schema version of manifests that is read.
const ManifestVersion = 1

const (
	maxManifest = 1 << 20
	maxMounts   = 64
)

// ReadManifest reads the manifest of an output, and checks it; nil where it
// has none.
func ReadManifest(output string) (*event.Manifest, error) {
	root, err := os.OpenRoot(output)
	if err != nil {
		return nil, fmt.Errorf("open the built output: %w", err)
	}
	defer root.Close()
	f, err := root.Open(ManifestPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the payload manifest of %s: %w", output, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("read the payload manifest of %s: %w", output, err)
	}
	m, err := DecodeManifest(b)
	if err != nil {
		return nil, fmt.Errorf("payload manifest %s: %w", filepath.Join(output, ManifestPath), err)
	}
	return m, nil
}

// DecodeManifest reads and checks a manifest's content.
func DecodeManifest(b []byte) (*event.Manifest, error) {
	if len(b) > maxManifest {
		return nil, fmt.Errorf("over %d MiB", maxManifest>>20)
	}
	m := new(event.Manifest)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return m, check(m)
}

func check(m *event.Manifest) error {
	if m.SchemaVersion != ManifestVersion {
		return fmt.Errorf("schema_version is %d: this pikaci reads version %d", m.SchemaVersion, ManifestVersion)
	}
	if len(m.Mounts) > maxMounts {
		return fmt.Errorf("%d mounts: want at most %d", len(m.Mounts), maxMounts)
	}
	names := map[string]bool{}
	for i, mount := range m.Mounts {
		switch {
		case mount.Name == "" || names[mount.Name]:
			return fmt.Errorf("mounts[%d]: name %q is empty or there twice", i, mount.Name)
		case !relative(mount.RelativePath):
			return fmt.Errorf("mounts[%d]: relative_path %q is not a path inside the output", i, mount.RelativePath)
		case !guestPath(mount.GuestPath):
			return fmt.Errorf("mounts[%d]: guest_path %q is not an absolute, normalized path other than /", i, mount.GuestPath)
		case !mount.ReadOnly:
			return fmt.Errorf("mounts[%d]: read_only is false: payloads are mounted read-only", i)
		}
		names[mount.Name] = true
	}
	return nil
}

func relative(p string) bool {
	return p != "" && !path.IsAbs(p) && !strings.Contains(p, "\x00") && filepath.IsLocal(p)
}

func guestPath(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && p != "/" && !strings.ContainsAny(p, "\x00\n")
}

// Mount is a folder or file of an output and where a guest sees it.
type Mount struct {
	Name string
	// Source is on the host: absolute, with no symlink in it.
	Source    string
	GuestPath string
}

// Mounts are the mounts of one staged payload whose output lies at output: as
// the manifest says, or the whole at the role's guest path where there is
// none, or one that lists no mounts.
func Mounts(s plan.StagedPreparedPayload, output string, m *event.Manifest) ([]Mount, error) {
	real, err := filepath.EvalSymlinks(output)
	if err != nil {
		return nil, fmt.Errorf("payload %s: %w", s.Role, err)
	}
	if m == nil || len(m.Mounts) == 0 {
		return []Mount{{Name: s.Role, Source: real, GuestPath: s.GuestMountPath}}, nil
	}
	var mounts []Mount
	for _, mount := range m.Mounts {
		source, err := filepath.EvalSymlinks(filepath.Join(real, mount.RelativePath))
		if err != nil {
			return nil, fmt.Errorf("payload %s: mount %s: %w", s.Role, mount.Name, err)
		}
		if source != real && !strings.HasPrefix(source, real+"/") {
			return nil, fmt.Errorf("payload %s: mount %s: %s leads out of the output, to %s", s.Role, mount.Name, mount.RelativePath, source)
		}
		mounts = append(mounts, Mount{Name: mount.Name, Source: source, GuestPath: mount.GuestPath})
	}
	return mounts, nil
}

// ClosurePath is the file beside a payload's link that lists the store paths
// which must be at their own places for the output to run, one a line: its
// references, theirs, and itself where anything in it refers to it.
func ClosurePath(link string) string { return link + ".closure" }
