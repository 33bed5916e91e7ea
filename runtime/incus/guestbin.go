package incus

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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

// program is a guest program, and its SHA-256 in hex. That is committed with it:
// hashing takes longer than the first answers of a server, and holds up all else
// meanwhile.
type program struct{ file, digest string }

// programFor is the guest program for an architecture, by Go's name.
func programFor(architecture string) (program, error) {
	name := "pikaci-guest-linux-" + architecture
	if _, err := fs.Stat(programs, "guestbin/"+name); err != nil {
		return program{}, fmt.Errorf("there is no guest program for architecture %q", architecture)
	}
	sums, err := programs.ReadFile("guestbin/SHA256SUMS")
	if err != nil {
		return program{}, err
	}
	for line := range strings.Lines(string(sums)) {
		if digest, of, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  "); ok && of == name {
			return program{"guestbin/" + name, digest}, nil
		}
	}
	return program{}, fmt.Errorf("the digest of %s is not known", name)
}

// dir is the folder of a guest program that instances mount. It is named after
// its content and shared by all runs of a state root.
func (p program) dir(r *runtime.RunContext) string {
	return filepath.Join(r.StateRoot, "guest", p.digest[:16])
}

// place puts the guest program where instances mount it. Another run may do the
// same at the same time.
func (p program) place(r *runtime.RunContext) error {
	dir := p.dir(r)
	name := filepath.Join(dir, filepath.Base(guest.Program))
	if p.isAt(name) {
		return nil
	}
	content, err := programs.ReadFile(p.file)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = atomicfile.Write(name, content, 0o555)
	}
	if err != nil {
		return fmt.Errorf("place the guest program: %w", err)
	}
	return nil
}

// isAt reports whether a file is the program. Neither is held in memory whole:
// every run looks.
func (p program) isAt(name string) bool {
	there, err := os.Open(name)
	if err != nil {
		return false
	}
	defer there.Close()
	own, err := programs.Open(p.file)
	if err != nil {
		return false
	}
	defer own.Close()
	a, b := make([]byte, 1<<16), make([]byte, 1<<16)
	for {
		n, thereErr := io.ReadFull(there, a)
		m, ownErr := io.ReadFull(own, b)
		if !bytes.Equal(a[:n], b[:m]) || thereErr != ownErr {
			return false
		}
		if thereErr != nil {
			return thereErr == io.EOF || thereErr == io.ErrUnexpectedEOF
		}
	}
}
