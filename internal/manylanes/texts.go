package manylanes

const packageClause = "package lanes\n"

// header begins a file of lanes that have paths.
const header = packageClause + `
import "list"
`

const bindingFile = `// Package lanes holds made-up lanes.
package lanes

import "github.com/sledtools/pikaci/schema"

lanes: schema.#Lanes
roles: schema.#Roles
`

const rolesFile = `package lanes

roles: [
	{
		role:                "workspace-deps"
		prepare_node_suffix: "workspace-deps"
		mount_dir_name:      "workspace-deps"
		device_prefix:       "workspace-deps"
		prepare_description: "Build staged Linux Rust dependencies"
		guest_mount_path:    "/staged/linux-rust/workspace-deps"
	},
	{
		role:                "workspace-build"
		prepare_node_suffix: "workspace-build"
		mount_dir_name:      "workspace-build"
		device_prefix:       "workspace-build"
		prepare_description: "Build staged Linux Rust test artifacts"
		guest_mount_path:    "/staged/linux-rust/workspace-build"
	},
]
`

const commonFile = `package lanes

_staged: {
	target_id:         string
	concurrency_group: "staged-linux:\(target_id)"
	system:            "x86_64-linux"
	incus: profiles: ["default", "agent-dev"]
}

_bin: "/staged/linux-rust/workspace-build/bin"

_kinds: ["integration", "api"]

_workspace_paths: [
	"Cargo.toml",
	"Cargo.lock",
	"flake.nix",
	"flake.lock",
	"nix/**",
	"justfile",
]
`
