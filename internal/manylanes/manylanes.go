// Package manylanes makes up lane packages of any size for tests and for
// scripts/bench. Their lanes look like real ones: a template, shared lists,
// two payload roles, three jobs of which a comprehension makes two. The same
// shape and number give the same bytes.
package manylanes

import (
	"bytes"
	"fmt"
	"path"

	"github.com/sledtools/pikaci/schema"
)

// Shape says how lanes lie in files.
type Shape string

// The shapes.
const (
	// FileEach has one lane in each file, as lanes are meant to be kept.
	FileEach Shape = "file-each"
	// OneFile has all lanes in one file.
	OneFile Shape = "one-file"
)

// Package gives the files of a module with n lanes in its folder lanes, by
// their path from the module's root. The schema is vendored, so that stock cue
// reads the same package without a registry.
func Package(shape Shape, n int) (map[string][]byte, error) {
	files := map[string][]byte{
		"cue.mod/module.cue": []byte("module: \"example.com/many\"\nlanguage: version: \"v0.17.0\"\n"),
		"lanes/lanes.cue":    []byte(bindingFile),
		"lanes/roles.cue":    []byte(rolesFile),
		"lanes/common.cue":   []byte(commonFile),
	}
	entries, err := schema.Files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		at := path.Join("cue.mod/pkg", schema.ImportPath, e.Name())
		if files[at], err = schema.Files.ReadFile(e.Name()); err != nil {
			return nil, err
		}
	}
	switch shape {
	case FileEach:
		for i := range n {
			head := header
			if nightly(i) {
				head = packageClause
			}
			files[fmt.Sprintf("lanes/lane_%05d.cue", i)] = append([]byte(head), lane(i)...)
		}
	case OneFile:
		all := bytes.NewBufferString(header)
		for i := range n {
			all.Write(lane(i))
		}
		files["lanes/all.cue"] = all.Bytes()
	default:
		return nil, fmt.Errorf("no shape is named %q: want %s or %s", shape, FileEach, OneFile)
	}
	return files, nil
}

// lane is the text of one lane. Lanes differ in names, in how many crates they
// watch and in which optional fields they set.
func lane(i int) []byte {
	var b bytes.Buffer
	id := fmt.Sprintf("area-%05d", i)
	fmt.Fprintf(&b, `
lanes: %q: _staged & {
	title:       "check-%s"
	description: "What area %d of the product promises still holds."
	target_id:   "pre-merge-%s"
`, id, id, i, id)
	if nightly(i) {
		b.WriteString("\ttrigger:     \"nightly\"\n")
	} else {
		paths(&b, id, 2+i%5)
	}
	fmt.Fprintf(&b, `	shared_prepare: {
		node_prefix: "%[1]s-linux-rust"
		description: "%[1]s staged Linux Rust lane"
	}
	payloads: [
		{role: "workspace-deps", output_name: "ci.x86_64-linux.area%[2]dWorkspaceDeps"},
		{role: "workspace-build", output_name: "ci.x86_64-linux.area%[2]dWorkspaceBuild"},
	]
	snapshot_exclude: ["ios", "android"]
	jobs: {
		"%[1]s-unit": {
			description: "Run the unit tests of area %[2]d"
			command: ["\(_bin)/run-%[1]s-unit-tests"]
			timeout_secs: %[3]d
		}
		for kind in _kinds {
			"%[1]s-\(kind)": {
				description: "Run the \(kind) tests of area %[2]d"
				command: ["bash", "-ec", "\(_bin)/prepare-%[1]s && \(_bin)/run-%[1]s-\(kind)-tests"]
				env: RUST_BACKTRACE: "1"
			}
		}
	}
}
`, id, i, 600+i%7*300)
	return b.Bytes()
}

// nightly says which lanes are: no path chooses those.
func nightly(i int) bool { return i%10 == 9 }

// paths has changed paths choose a lane: by what all lanes watch, by its crates
// and its scripts.
func paths(b *bytes.Buffer, id string, crates int) {
	b.WriteString("\tpaths: list.Concat([\n\t\t_workspace_paths,\n\t\t[\n")
	for crate := range crates {
		fmt.Fprintf(b, "\t\t\t\"crates/%s-%d/**\",\n", id, crate)
	}
	fmt.Fprintf(b, `		],
		[for script in ["build", "test"] {"scripts/%s-\(script).sh"}],
	])
`, id)
}
