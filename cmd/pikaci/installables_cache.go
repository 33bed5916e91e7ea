package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/runtime/nix"
)

// answers is what Nix said of a tree's outputs the last time, in the user's
// cache folder: one file for each tree.
//
// Nix's answer is a function of the content of the tree (inputs that flake.lock
// does not pin are refused), the names and the Nix program. So the key is the
// hash of all that Nix is shown, not of flake.nix and flake.lock: any file may be
// imported. Reading the tree costs far less than a copy and an evaluation. Errors
// are not kept: they may have other reasons.
type answers struct {
	path string
	key  string
}

// answersFile is the content of the file. Sum is that of what it is of.
type answersFile struct {
	Key     string       `json:"key"`
	Outputs []nix.Output `json:"outputs"`
	Sum     string       `json:"sum"`
}

// newAnswers gives the place of the answers; without a path where nothing can be
// kept.
func newAnswers(root, content string, names []string) *answers {
	dir, err := os.UserCacheDir()
	if err != nil {
		return &answers{}
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return &answers{}
	}
	program, err := nixIdentity()
	if err != nil {
		return &answers{}
	}
	return &answers{
		path: filepath.Join(dir, "pikaci", "installables", digest(abs)[:32]+".json"),
		key:  digest("1", content, program, names),
	}
}

// nixIdentity changes when Nix is another one.
func nixIdentity() (string, error) {
	program, err := exec.LookPath("nix")
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return "", err
	}
	info, err := os.Stat(program)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(program, info.Size(), info.ModTime().UnixNano()), nil
}

// digest is a hash of values, each apart.
func digest(values ...any) string {
	b, err := json.Marshal(values)
	if err != nil {
		panic(fmt.Sprintf("BUG: no JSON: %v", err))
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// read gives what is known; nil where that is nothing, or not for this tree, or
// damaged.
func (a *answers) read() []nix.Output {
	b, err := os.ReadFile(a.path)
	var kept answersFile
	if a.path == "" || err != nil || json.Unmarshal(b, &kept) != nil {
		return nil
	}
	if kept.Key != a.key || kept.Sum != digest(kept.Key, kept.Outputs) {
		return nil
	}
	return slices.Clip(kept.Outputs)
}

// write keeps an answer. It is no harm if that fails: Nix is asked again.
func (a *answers) write(outputs []nix.Output) {
	if a.path == "" || os.MkdirAll(filepath.Dir(a.path), 0o755) != nil {
		return
	}
	b, err := json.Marshal(answersFile{Key: a.key, Outputs: outputs, Sum: digest(a.key, outputs)})
	if err == nil {
		atomicfile.WriteSynced(a.path, b, 0o644)
	}
}
