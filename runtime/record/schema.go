package record

import _ "embed"

//go:embed run.schema.json
var runSchema string

// RunSchema is the JSON Schema (draft 2020-12) of run.json. A test writes it
// from the types of this package and of events, and their comments.
func RunSchema() string { return runSchema }
