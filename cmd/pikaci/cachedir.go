package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"

	"github.com/sledtools/pikaci/compiler"
)

// openCache is the user's cache of compiled plans; nil where there can be none.
func (s *session) openCache() *compiler.Cache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	return compiler.OpenCache(filepath.Join(dir, "pikaci", "compile"), programID(), s.env)
}

// programID is what tells this program from every other that is called pikaci:
// the build id, which the linker makes from all that it links. Empty where it is
// not known; then nothing is cached. Hashing the program would take longer than
// most compiles.
func programID() string {
	name := "/proc/self/exe"
	path, err := os.Readlink(name)
	if err != nil {
		if path, err = os.Executable(); err != nil {
			return ""
		}
		name = path
	}
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	// The linker puts it near the start, so that it is found fast.
	head := make([]byte, 16<<10)
	n, _ := f.ReadAt(head, 0)
	if id := buildID(head[:n]); id != "" {
		return id
	}
	if strings.HasPrefix(path, "/nix/store/") {
		// Nix leaves the build id out; a path of the store has one content.
		return path
	}
	return ""
}

// buildID finds Go's build id in the first bytes of a program: the note of an
// ELF file, or a mark in other formats.
func buildID(head []byte) string {
	// Sizes of name and description, kind 4, the name.
	note := []byte("\x04\x00\x00\x00Go\x00\x00")
	if i := bytes.Index(head, note); i >= 8 && bytes.HasPrefix(head, []byte("\x7fELF")) {
		size := int(binary.LittleEndian.Uint32(head[i-4:]))
		if id := head[i+len(note):]; size <= len(id) {
			return string(id[:size])
		}
		return ""
	}
	_, rest, found := bytes.Cut(head, []byte("\xff Go build ID: \""))
	id, _, whole := bytes.Cut(rest, []byte("\"\n \xff"))
	if !found || !whole {
		return ""
	}
	return string(id)
}
