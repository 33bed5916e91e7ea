package event

import _ "embed"

//go:embed schema.json
var schema string

// Schema is the JSON Schema (draft 2020-12) of an event: of one line of
// events.jsonl, and of what exec --output jsonl prints. A test writes it from
// the types of this package and their comments.
func Schema() string { return schema }
