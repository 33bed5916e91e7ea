package plandiff

import (
	"slices"
	"testing"
)

func TestDiff(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		want           []string
	}{
		{"equal but for order of fields", `{"a":1,"b":[1,2]}`, `{"b":[1,2],"a":1}`, nil},
		{"field of a job", `{"jobs":[{"id":"clippy","timeout_secs":1800}]}`, `{"jobs":[{"id":"clippy","timeout_secs":900}]}`,
			[]string{"jobs.clippy.timeout_secs: 1800 -> 900"}},
		{"field added and removed", `{"jobs":[{"id":"a","user":0}]}`, `{"jobs":[{"id":"a","cache":true}]}`,
			[]string{"jobs.a.cache: added, true", "jobs.a.user: removed, was 0"}},
		{"node added and removed", `{"nodes":[{"id":"a"},{"id":"b"}]}`, `{"nodes":[{"id":"b"},{"id":"c"}]}`,
			[]string{"nodes.a: removed", "nodes.c: added"}},
		{"first node", `{"nodes":[]}`, `{"nodes":[{"id":"c"}]}`, []string{"nodes.c: added"}},
		{"payload of a job", `{"jobs":[{"id":"a","staged_payloads":[{"role":"deps","output_name":"x"}]}]}`,
			`{"jobs":[{"id":"a","staged_payloads":[{"role":"deps","output_name":"y"}]}]}`,
			[]string{`jobs.a.staged_payloads.deps.output_name: "x" -> "y"`}},
		{"another order", `{"nodes":[{"id":"a"},{"id":"b"}]}`, `{"nodes":[{"id":"b"},{"id":"a"}]}`,
			[]string{"nodes: in another order"}},
		{"list of words", `{"needs":["a"]}`, `{"needs":["a","b"]}`, []string{`needs: ["a"] -> ["a","b"]`}},
		{"a name twice is no name", `{"nodes":[{"id":"a"},{"id":"a"}]}`, `{"nodes":[{"id":"a"}]}`,
			[]string{`nodes: [{"id":"a"},{"id":"a"}] -> [{"id":"a"}]`}},
		{"skipped", `{"digest":"x","v":1}`, `{"digest":"y","v":1}`, nil},
		{"another kind", `[]`, `{"v":1}`, []string{`plan: [] -> {"v":1}`}},
		{"big numbers", `{"n":9007199254740993}`, `{"n":9007199254740992}`,
			[]string{"n: 9007199254740993 -> 9007199254740992"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Diff([]byte(tt.old), []byte(tt.new), "digest")
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestDiffNeedsJSON(t *testing.T) {
	for _, old := range []string{"", "{", "{} {}", "nothing"} {
		if lines, err := Diff([]byte(old), []byte("{}")); err == nil {
			t.Errorf("Diff(%q) gives %q, want an error", old, lines)
		}
	}
}
