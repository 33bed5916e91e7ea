package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// eventSchema and recordSchema are the published schemas, with nothing allowed that
// they do not name: what pikaci itself writes must be in them.
var (
	eventSchema  = sync.OnceValues(func() (*jsonschema.Schema, error) { return closedSchema(event.Schema()) })
	recordSchema = sync.OnceValues(func() (*jsonschema.Schema, error) { return closedSchema(record.RunSchema()) })
)

func closedSchema(schema string) (*jsonschema.Schema, error) {
	closed := strings.ReplaceAll(schema, `"type": "object",`, `"type": "object", "additionalProperties": false,`)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(closed))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
}

// checkEvents holds each whole line against the schema of events.
func checkEvents(b []byte) error {
	s, err := eventSchema()
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		if !whole {
			return nil
		}
		b = rest
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err == nil {
			err = s.Validate(v)
		}
		if err != nil {
			return fmt.Errorf("line %d is not of the schema of events: %w\n%s", n, err, line)
		}
	}
}

// checkRun holds a run.json against its schema.
func checkRun(b []byte) error {
	s, err := recordSchema()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil {
		return fmt.Errorf("it is not of the schema of run.json: %w", err)
	}
	return nil
}

// events wants a file, or stdout, to hold events: events FILE.
func events(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: events FILE")
	}
	text := ts.ReadFile(args[0])
	if text == "" {
		ts.Fatalf("%s is empty", args[0])
	}
	ts.Check(checkEvents([]byte(text)))
}

// checked are the files of a run that have a schema, and what holds them
// against it.
var checked = map[string]func([]byte) error{"events.jsonl": checkEvents, "run.json": checkRun}

// checkRecords holds all events and records that a test's runs left against
// their schemas. A record that a script damages lies in a folder named damaged.
func checkRecords(t *testing.T, dir string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "damaged" {
			return fs.SkipDir
		}
		check := checked[d.Name()]
		if check == nil || d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err == nil {
			err = check(b)
		}
		if err == nil && d.Name() == "run.json" {
			err = checkEnded(filepath.Dir(path))
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
}

// checkEnded holds a run's record against what is read of its events.
func checkEnded(path string) error {
	d := record.Dir{ID: filepath.Base(path), Path: path}
	ended, err := d.ReadEnded()
	past, damaged := d.Read()
	if err != nil || damaged != nil || past.State != record.Finished {
		return errors.Join(err, damaged)
	}
	if of, now := written(past.Run), written(ended); of != now {
		return fmt.Errorf("its record says\n%s\nand its events\n%s", now, of)
	}
	return nil
}

func written(r record.Run) string {
	b, _ := json.MarshalIndent(r, "", "  ")
	return string(b)
}
