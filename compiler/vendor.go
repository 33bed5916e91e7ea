package compiler

import (
	"path"

	"github.com/sledtools/pikaci/schema"
)

// Vendored are the schema's files as a repository of lanes holds them, for
// stock cue and editors: by path from the root of its module. There are none
// for the module whose own folder is the schema.
func Vendored(dir string) (map[string][]byte, error) {
	t, _, err := openTree(dir)
	if err != nil {
		return nil, err
	}
	if m, err := readModule(t); err == nil && m.name == ownModule {
		return nil, nil
	}
	files, err := schemaFiles()
	if err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(files))
	for name, content := range files {
		out[path.Join("cue.mod/pkg", schema.ImportPath, name)] = content
	}
	return out, nil
}
