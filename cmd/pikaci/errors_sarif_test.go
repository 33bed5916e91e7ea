package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/compiler"
)

// sarifObject is what SARIF 2.1.0 says of one kind of object: the properties
// that we use of it, by the kind of what they hold, and those that must be
// there. A kind that is none of sarifObjects is a plain value's.
type sarifObject struct {
	properties map[string]string
	required   []string
}

// sarifObjects are written from the standard's text; its schema forbids other
// properties in all of them.
var sarifObjects = map[string]sarifObject{
	"sarifLog": {map[string]string{"$schema": "uri", "version": "2.1.0", "runs": "[]run"}, []string{"version", "runs"}},
	"run": {map[string]string{"tool": "tool", "results": "[]result", "columnKind": "columnKind"},
		[]string{"tool"}},
	"tool": {map[string]string{"driver": "toolComponent"}, []string{"driver"}},
	"toolComponent": {map[string]string{"name": "text", "version": "text", "informationUri": "uri", "rules": "[]reportingDescriptor"},
		[]string{"name"}},
	"reportingDescriptor": {map[string]string{"id": "text", "shortDescription": "message"}, []string{"id"}},
	"result": {map[string]string{"ruleId": "text", "ruleIndex": "count", "level": "level", "message": "message",
		"locations": "[]location", "relatedLocations": "[]location", "partialFingerprints": "texts"}, []string{"message"}},
	"message":         {map[string]string{"text": "messageString"}, []string{"text"}},
	"artifactContent": {map[string]string{"text": "text"}, nil},
	"location": {map[string]string{"id": "count", "physicalLocation": "physicalLocation", "logicalLocations": "[]logicalLocation"},
		nil},
	"physicalLocation": {map[string]string{"artifactLocation": "artifactLocation", "region": "region"}, []string{"artifactLocation"}},
	"artifactLocation": {map[string]string{"uri": "uri"}, []string{"uri"}},
	"region": {map[string]string{"startLine": "place", "startColumn": "place", "endColumn": "place", "snippet": "artifactContent"},
		[]string{"startLine"}},
	"logicalLocation": {map[string]string{"fullyQualifiedName": "text"}, nil},
}

// sarifProblems are what a value breaks of the standard.
func sarifProblems(at, kind string, v any) []string {
	bad := func(ok bool) []string {
		if ok {
			return nil
		}
		return []string{fmt.Sprintf("%s: %v is no %s", at, v, kind)}
	}
	if element, isList := cutList(kind); isList {
		list, ok := v.([]any)
		out := bad(ok)
		for i, e := range list {
			out = append(out, sarifProblems(fmt.Sprintf("%s[%d]", at, i), element, e)...)
		}
		return out
	}
	number, _ := v.(float64)
	text, isText := v.(string)
	switch kind {
	case "text":
		return bad(isText && text != "")
	case "messageString":
		return bad(isText && text != "" && !strings.ContainsAny(strings.NewReplacer("{{", "", "}}", "").Replace(text), "{}"))
	case "uri":
		_, err := url.Parse(text)
		return bad(isText && text != "" && err == nil)
	case "count":
		return bad(v == number && number >= 0)
	case "place":
		return bad(v == number && number >= 1)
	case "level":
		return bad(slices.Contains([]string{"none", "note", "warning", "error"}, text))
	case "columnKind":
		return bad(slices.Contains([]string{"utf16CodeUnits", "unicodeCodePoints"}, text))
	case "2.1.0":
		return bad(text == kind)
	case "texts":
		m, ok := v.(map[string]any)
		out := bad(ok)
		for key, value := range m {
			out = append(out, sarifProblems(at+"."+key, "text", value)...)
		}
		return out
	}
	object, known := sarifObjects[kind]
	m, ok := v.(map[string]any)
	out := bad(known && ok)
	for _, name := range object.required {
		if _, there := m[name]; !there {
			out = append(out, fmt.Sprintf("%s: a %s has no %s", at, kind, name))
		}
	}
	for name, value := range m {
		if of, allowed := object.properties[name]; allowed {
			out = append(out, sarifProblems(at+"."+name, of, value)...)
		} else {
			out = append(out, fmt.Sprintf("%s: a %s has no property %s", at, kind, name))
		}
	}
	return out
}

func cutList(kind string) (string, bool) {
	if len(kind) > 2 && kind[:2] == "[]" {
		return kind[2:], true
	}
	return kind, false
}

// TestSARIFIsOfTheStandard holds logs of all kinds of diagnostics against what
// SARIF 2.1.0 requires.
func TestSARIFIsOfTheStandard(t *testing.T) {
	at := func(file string, line, column int) compiler.Position {
		return compiler.Position{File: file, Line: line, Column: column}
	}
	for name, found := range map[string]compiler.Diagnostics{
		"none":          {},
		"no place":      {{Message: "m"}},
		"a file alone":  {{Message: "m", Position: at("lanes/a.cue", 0, 0), Hint: "h"}},
		"no column":     {{Message: "m", Position: at("lanes/a.cue", 3, 0), Source: "title: 1"}},
		"all":           {{Message: "m\nn {0} [x](y)", Path: "lanes.a.b", Position: at("lanes/a.cue", 3, 9), Source: "\té😀: \"x\"", Hint: "h", Others: []compiler.Position{at("b", 1, 1), at("c", 0, 0), at("d", 4, 0)}}},
		"behind a line": {{Message: "m", Position: at("lanes/a.cue", 3, 99), Source: "x"}},
		"at its end":    {{Message: "m", Position: at("lanes/a.cue", 3, 2), Source: "x"}},
		"an empty line": {{Message: "m", Position: at("lanes/a.cue", 3, 1), Source: " "}},
		"odd files":     {{Message: "m", Position: at("a:b c%d?#\n.cue", 1, 1)}, {Message: "m", Position: at("/x/é\xff.cue", 1, 1)}, {Message: "m", Position: at("../../x", 1, 1)}},
		"warnings":      {{Message: "m", Severity: compiler.Warning, Position: at("x", 1, 1)}, {Message: "n", Severity: compiler.Mistake}},
		"not UTF-8":     {{Message: "m \xff", Path: "a.\xff", Position: at("x", 1, 1), Source: "\xff"}},
	} {
		var log any
		written := sarifErrors(found)
		if err := json.Unmarshal(written, &log); err != nil {
			t.Fatal(err)
		}
		for _, problem := range sarifProblems("log", "sarifLog", log) {
			t.Errorf("%s: %s", name, problem)
		}
		checkReferences(t, name, log, len(found))
	}
}

// checkReferences looks at what one part of a log says of another.
func checkReferences(t *testing.T, name string, log any, results int) {
	run := log.(map[string]any)["runs"].([]any)[0].(map[string]any)
	rules := run["tool"].(map[string]any)["driver"].(map[string]any)["rules"].([]any)
	list := run["results"].([]any)
	if len(list) != results {
		t.Errorf("%s: %d results of %d diagnostics", name, len(list), results)
	}
	for _, e := range list {
		r := e.(map[string]any)
		if id := rules[int(r["ruleIndex"].(float64))].(map[string]any)["id"]; id != r["ruleId"] {
			t.Errorf("%s: ruleIndex leads to %v, ruleId is %v", name, id, r["ruleId"])
		}
		places, _ := r["locations"].([]any)
		for _, place := range places {
			region, _ := place.(map[string]any)["physicalLocation"].(map[string]any)["region"].(map[string]any)
			if end, there := region["endColumn"]; there && end.(float64) < region["startColumn"].(float64) {
				t.Errorf("%s: a region ends at %v and begins at %v", name, end, region["startColumn"])
			}
		}
	}
}

// TestSARIFProblems checks the checker.
func TestSARIFProblems(t *testing.T) {
	for log, want := range map[string]int{
		`{"version": "2.1.0", "runs": []}`: 0, `{"version": "2.0.0", "runs": []}`: 1, `{"runs": []}`: 1, `{"version": "2.1.0", "runs": [{}]}`: 1,
		`{"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": [{"message": {"text": "x"}, "x": 1}]}]}`:                                                                                                                        2,
		`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [{"message": {"text": ""}, "level": "bad", "locations": [{"physicalLocation": {"artifactLocation": {"uri": "x"}, "region": {"startLine": 0}}}]}]}]}`: 3,
	} {
		var v any
		if err := json.Unmarshal([]byte(log), &v); err != nil {
			t.Fatal(err)
		}
		if got := sarifProblems("log", "sarifLog", v); len(got) != want {
			t.Errorf("%s: %q", log, got)
		}
	}
}
