package compiler

import (
	"bytes"
	"encoding/json"
	"fmt"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/encoding/jsonschema"
)

// SchemaNames are the schemas that Schema gives.
func SchemaNames() []string { return []string{"lanes", "plan"} }

// SchemaFormats are the formats that Schema writes.
func SchemaFormats() []string { return []string{"cue", "jsonschema"} }

// Schema gives the schema of lanes or plan, as cue (the embedded files as they
// are) or jsonschema (one document, draft 2020-12).
func Schema(name, format string) ([]byte, error) {
	var definition string
	var files []string
	switch name {
	case "lanes":
		definition, files = "#Lanes", []string{"lane.cue", "job.cue"}
	case "plan":
		definition, files = "#Plan", []string{"plan.cue", "lane.cue"}
	default:
		return nil, fmt.Errorf("no schema is named %q: want lanes or plan", name)
	}
	all, err := schemaFiles()
	if err != nil {
		return nil, err
	}
	switch format {
	case "cue":
		var b bytes.Buffer
		for i, f := range files {
			if i > 0 {
				b.WriteString("\n// " + f + "\n\n")
			}
			b.Write(all[f])
		}
		return b.Bytes(), nil
	case "jsonschema":
		return jsonSchema(all, definition)
	}
	return nil, fmt.Errorf("no format is named %q: want cue or jsonschema", format)
}

func jsonSchema(files map[string][]byte, definition string) ([]byte, error) {
	ctx := newContext()
	v, err := buildSchema(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("build the embedded schema: %w", err)
	}
	x, err := jsonschema.Generate(v.LookupPath(cue.ParsePath(definition)), &jsonschema.GenerateConfig{})
	if err != nil {
		return nil, fmt.Errorf("write %s as JSON Schema: %w", definition, err)
	}
	return indentJSON(ctx, x)
}

func indentJSON(ctx *cue.Context, x ast.Expr) ([]byte, error) {
	b, err := ctx.BuildExpr(x).MarshalJSON()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
