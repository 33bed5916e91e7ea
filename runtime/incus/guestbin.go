package incus

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/guest"
)

// programs are the guest programs, built by scripts/build-guest and committed:
// a plain go install has them, and they are static whatever it was built with.
// A test holds them against their source.
//
//go:embed guestbin
var programs embed.FS

// architectures maps Incus' names to Go's.
var architectures = map[string]string{"x86_64": "amd64", "aarch64": "arm64"}

// programFor is the guest program for an architecture, by Go's name.
func programFor(architecture string) ([]byte, error) {
	b, err := programs.ReadFile("guestbin/pikaci-guest-linux-" + architecture)
	if err != nil {
		return nil, fmt.Errorf("there is no guest program for architecture %q", architecture)
	}
	return b, nil
}

// programDir is the folder of a guest program that instances mount. It is
// named after its content and shared by all runs of a state root.
func programDir(r *runtime.RunContext, sum [sha256.Size]byte) string {
	return filepath.Join(r.StateRoot, "guest", hex.EncodeToString(sum[:8]))
}

// placeProgram puts the guest program where instances mount it. Another run
// may do the same at the same time.
func placeProgram(dir string, program []byte) error {
	name := filepath.Join(dir, filepath.Base(guest.Program))
	if b, err := os.ReadFile(name); err == nil && bytes.Equal(b, program) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(name, program, 0o555); err != nil {
		return fmt.Errorf("place the guest program: %w", err)
	}
	return nil
}
