package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// EmbeddedPrefix begins the paths of sources that are part of pikaci itself.
const EmbeddedPrefix = "embedded:"

// maxSource is the largest source that is hashed, in bytes.
const maxSource = 256 << 20

// Stale returns the sources that lie in the tree, which begins at the root of
// the lanes' module, and are not what they were
// when the plan was compiled. Those that are not there are not compared: a
// runner may have the plan only.
func (p *Plan) Stale(tree fs.FS) ([]string, error) {
	var stale []string
	for _, s := range p.Sources {
		if strings.HasPrefix(s.Path, EmbeddedPrefix) || !fs.ValidPath(s.Path) {
			continue
		}
		sum, err := hashFile(tree, s.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("compare source %s: %w", s.Path, err)
		case sum != s.SHA256:
			stale = append(stale, s.Path)
		}
	}
	return stale, nil
}

func hashFile(tree fs.FS, name string) (string, error) {
	// Before it is opened: a pipe in its place would never be.
	info, err := fs.Stat(tree, name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	f, err := tree.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxSource)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
