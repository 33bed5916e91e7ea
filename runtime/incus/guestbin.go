package incus

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"

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

// placeProgram puts the guest program for the server's architecture into the
// run directory and returns its folder, which instances mount.
func placeProgram(runDir, architecture string) (string, error) {
	b, err := programs.ReadFile("guestbin/pikaci-guest-linux-" + architectures[architecture])
	if err != nil {
		return "", fmt.Errorf("no guest program for architecture %q", architecture)
	}
	dir := programDir(runDir)
	name := filepath.Join(dir, filepath.Base(guest.Program))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(name, b, 0o555); err != nil {
		return "", fmt.Errorf("place the guest program: %w", err)
	}
	return dir, nil
}

func programDir(runDir string) string { return filepath.Join(runDir, "guest") }
