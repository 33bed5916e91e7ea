package incus

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sledtools/pikaci/runtime"
)

// The committed programs are built again, with the Go that built them, and must
// be the same bytes.
func TestTheGuestProgramsAreOfTheirSource(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		committed, err := programFor(arch)
		if err != nil {
			t.Fatal(err)
		}
		content, err := programs.ReadFile(committed.file)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != committed.digest {
			t.Errorf("the guest program for %s is not that of SHA256SUMS: run scripts/build-guest", arch)
		}
		info, err := buildinfo.Read(bytes.NewReader(content))
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
		if !bytes.Equal(built, content) {
			t.Errorf("the committed guest program for %s is not of its source (%d bytes, built %d with %s): run scripts/build-guest",
				arch, len(content), len(built), info.GoVersion)
		}
	}
}

// A folder of an earlier run may hold anything.
func TestTheGuestProgramIsPlacedWhereItIsNot(t *testing.T) {
	p, err := programFor("amd64")
	if err != nil {
		t.Fatal(err)
	}
	want, err := programs.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string][]byte{
		"nothing": nil, "an empty file": {}, "the beginning": want[:1<<16], "another byte at the end": append(bytes.Clone(want[:len(want)-1]), want[len(want)-1]+1),
		"more": append(bytes.Clone(want), 0), "itself": want,
	} {
		run := runtime.NewRunContext(t.TempDir(), "run", "/nowhere")
		at := filepath.Join(p.dir(&run), "pikaci-guest")
		if there != nil {
			if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, there, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		if is := p.isAt(at); is != (name == "itself") {
			t.Errorf("%s: taken for the program: %v", name, is)
		}
		if err := p.place(&run); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(at); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes were placed, %v", name, len(got), err)
		}
	}
}
