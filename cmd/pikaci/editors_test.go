package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTasksOfTheEditor holds the patterns of docs/editors.md against what a watch
// prints.
func TestTasksOfTheEditor(t *testing.T) {
	b, err := os.ReadFile("../../docs/editors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), "// .vscode/tasks.json\n")
	block, _, ends := strings.Cut(rest, "```")
	var file struct {
		Tasks []struct {
			ProblemMatcher struct {
				Pattern struct {
					Regexp                                string
					File, Line, Column, Severity, Message int
				}
				Background struct{ BeginsPattern, EndsPattern string }
			}
		}
	}
	if !found || !ends || json.Unmarshal([]byte(block), &file) != nil || len(file.Tasks) != 1 {
		t.Fatalf("no task in %q", block)
	}
	m := file.Tasks[0].ProblemMatcher
	problem := regexp.MustCompile(m.Pattern.Regexp)
	begins, ends2 := regexp.MustCompile(m.Background.BeginsPattern), regexp.MustCompile(m.Background.EndsPattern)
	var problems []string
	begun, ended := 0, 0
	for line := range strings.Lines(`05:21:39 watching lanes
right: 1 lane, 1 job
05:21:40 lanes/hello.cue
lanes/hello.cue:6:2: unknown field titel in lane hello
    6 |     titel:       "check-hello"
      |     ^^^^^
    in lanes.hello.titel
    see lanes/other.cue:1:2
hint: did you mean title?
not right; it was at 05:21:39
05:21:41 lanes/hello.cue
~ job a of lane a
    timeout_secs: 60 -> 61
lanes/a.cue:2:8: warning: changed paths never choose lane a: it has no paths, as others have
right: 1 lane, 1 job
`) {
		line = strings.TrimSuffix(line, "\n")
		if f := problem.FindStringSubmatch(line); f != nil {
			p := m.Pattern
			problems = append(problems, strings.Join([]string{f[p.File], f[p.Line], f[p.Column], f[p.Severity], f[p.Message]}, "|"))
		}
		if begins.MatchString(line) {
			begun++
		}
		if ends2.MatchString(line) {
			ended++
		}
	}
	want := "lanes/hello.cue|6|2||unknown field titel in lane hello\n" +
		"lanes/a.cue|2|8|warning|changed paths never choose lane a: it has no paths, as others have"
	if got := strings.Join(problems, "\n"); got != want {
		t.Errorf("problems:\n%s\nwant:\n%s", got, want)
	}
	if begun != 3 || ended != 3 {
		t.Errorf("%d begin and %d end, want 3", begun, ended)
	}
}
