// Package starter holds what a repository begins with: a lane, the module
// around it and hooks. It knows the files and where they go; it writes none.
package starter

import (
	"embed"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// The files end in .txt where the name would make them part of this module's
// own lanes.
//
//go:embed files/*
var files embed.FS

// File is one file to write.
type File struct {
	// Path is relative to the root of the repository, with slashes.
	Path    string
	Content []byte
	// Mode is the file's permissions.
	Mode fs.FileMode
}

// ModuleFile is the path of the module file.
const ModuleFile = "cue.mod/module.cue"

// Lanes are the files of a folder that has no lanes yet.
func Lanes(dir string) ([]File, error) {
	return read(dir, []source{
		{"lanes.cue.txt", path.Join(dir, "lanes.cue"), 0o644},
		{"hello.cue.txt", path.Join(dir, "hello.cue"), 0o644},
	})
}

// Module is the module file of a repository that has none.
func Module() ([]File, error) {
	return read("", []source{{"module.cue.txt", ModuleFile, 0o644}})
}

// Hooks are files that git and the pre-commit program look at the lanes of dir
// with, and what git leaves alone.
func Hooks(dir string) ([]File, error) {
	return read(dir, []source{
		{"pre-commit-config.yaml", ".pre-commit-config.yaml", 0o644},
		{"pre-commit", ".githooks/pre-commit", 0o755},
		{"gitignore", ".gitignore", 0o644},
	})
}

type source struct {
	name, path string
	mode       fs.FileMode
}

func read(lanes string, sources []source) ([]File, error) {
	var out []File
	for _, s := range sources {
		b, err := files.ReadFile("files/" + s.name)
		if err != nil {
			return nil, err
		}
		switch s.name {
		case "pre-commit-config.yaml":
			text := strings.ReplaceAll(string(b), "^LANES", "^"+regexp.QuoteMeta(lanes))
			b = []byte(strings.ReplaceAll(text, "LANES", lanes))
		case "pre-commit":
			// It is the hook of scripts/git-hooks, and stays that for the usual folder.
			text := strings.Replace(string(b), "setting lanes lanes", "setting lanes "+lanes, 1)
			b = []byte(strings.Replace(text, "(default: lanes)", "(default: "+lanes+")", 1))
		}
		out = append(out, File{s.path, b, s.mode})
	}
	return out, nil
}
