package nix

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/runtime"
)

// output is what a build gave.
type output struct {
	// Root is the link that keeps Nix from collecting the output, relative to
	// the state root.
	Root      string `json:"root"`
	StorePath string `json:"store_path"`
	// Closure are the store paths that it needs to run, by lines.
	Closure string `json:"closure"`
	// Bytes and ClosureBytes are those of the event.
	Bytes        int64 `json:"bytes,omitempty"`
	ClosureBytes int64 `json:"closure_bytes,omitempty"`
}

// knownPath is where the output of a node is remembered. A flake's attribute is
// a function of the tree that it is in: equal snapshots have equal outputs.
// Empty: nothing is known of the snapshot.
func (x *Executor) knownPath(r *runtime.RunContext, installable string) string {
	if r.SnapshotHash == "" {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %q", r.SnapshotHash, installable)
	for _, name := range sortedKeys(x.options.Settings) {
		fmt.Fprintf(h, " %q=%q", name, x.options.Settings[name])
	}
	return filepath.Join(r.StateRoot, "payloads", hex.EncodeToString(h.Sum(nil)))
}

// Known is the store path that an installable has in the run's snapshot, if an
// earlier run built it and it is there; Nix is not asked.
func (x *Executor) Known(r *runtime.RunContext, installable string) (storePath string, ok bool) {
	o, ok := x.recall(r, installable)
	return o.StorePath, ok
}

// recall gives the output that an earlier run built of the same snapshot, as
// long as that run's root holds it: it can't have been collected then.
func (x *Executor) recall(r *runtime.RunContext, installable string) (output, bool) {
	var o output
	b, err := os.ReadFile(x.knownPath(r, installable))
	if err != nil || json.Unmarshal(b, &o) != nil || !filepath.IsLocal(o.Root) {
		return output{}, false
	}
	held, err := os.Readlink(filepath.Join(r.StateRoot, o.Root))
	if err != nil || held != o.StorePath {
		return output{}, false
	}
	_, err = os.Lstat(o.StorePath)
	return o, err == nil
}

// remember notes an output for later runs. It is written whole or not at all;
// where it can't be, the next run asks Nix again.
func (x *Executor) remember(t runtime.Task, o output) error {
	name := x.knownPath(t.Run, t.Node.NixBuild.Installable)
	if name == "" {
		return nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(name, b, 0o644)
}
