package compiler

import "errors"

// Schema gives the schema of lanes or plan, as cue or jsonschema.
func Schema(name, format string) ([]byte, error) { return nil, errors.New("not written yet") }
