package incus

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The committed programs are built again, with the Go that built them, and must
// be the same bytes.
func TestTheGuestProgramsAreOfTheirSource(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		committed, err := programFor(arch)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(committed.content); hex.EncodeToString(sum[:]) != committed.digest {
			t.Errorf("the guest program for %s is not that of SHA256SUMS: run scripts/build-guest", arch)
		}
		info, err := buildinfo.Read(bytes.NewReader(committed.content))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "pikaci-guest")
		// The same as in scripts/build-guest.
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", name,
			"github.com/sledtools/pikaci/cmd/pikaci-guest")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOTOOLCHAIN="+info.GoVersion)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		built, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(built, committed.content) {
			t.Errorf("the committed guest program for %s is not of its source (%d bytes, built %d with %s): run scripts/build-guest",
				arch, len(committed.content), len(built), info.GoVersion)
		}
	}
}
