package main

import (
	"bytes"
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
)

// eventSchema is the schema of events, with nothing allowed that it does not
// name: what pikaci itself writes must be in it.
var eventSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	closed := strings.ReplaceAll(event.Schema(), `"type": "object",`, `"type": "object", "additionalProperties": false,`)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(closed))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("events.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("events.json")
})

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

// checkJournals holds all events that a script's runs left against the schema.
// A record that a script damages lies in a folder named damaged.
func checkJournals(t *testing.T, dir string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == "damaged" {
			return fs.SkipDir
		}
		if d.Name() != "events.jsonl" || d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err == nil {
			err = checkEvents(b)
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
}
