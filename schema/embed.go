package schema

import "embed"

// ImportPath is what lane files import the schema as.
const ImportPath = "github.com/sledtools/pikaci/schema"

// Files are the schema's CUE files, as this binary was built with them.
//
//go:embed *.cue
var Files embed.FS
