package compiler

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestBareOfRandomPackages makes packages of parts that people write, some of
// them wrong: what comes out without the schema comes out with it.
func TestBareOfRandomPackages(t *testing.T) {
	tried, right := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		text := drawPackage(rt)
		root := writeTree(t, map[string][]byte{
			"cue.mod/module.cue": []byte("module: \"example.com/m\"\nlanguage: version: \"v0.17.0\"\n"),
			"lanes/binding.cue":  []byte(bareBinding),
			"lanes/lane.cue":     []byte(text),
		})
		got := sameBare(t, filepath.Join(root, "lanes"))
		if t.Failed() {
			rt.Fatalf("of\n%s", text)
		}
		if got.tried {
			tried++
		}
		if got.right {
			right++
		}
	})
	t.Logf("%d packages were evaluated without the schema, %d of them were right", tried, right)
	if tried == 0 || right == 0 || right == tried {
		t.Error("that shows little")
	}
}

// drawPackage is a file of one to three lanes, with what they share.
func drawPackage(rt *rapid.T) string {
	var b strings.Builder
	b.WriteString("package lanes\n")
	for _, name := range []string{"strings", "list"} {
		if rapid.IntRange(0, 3).Draw(rt, name) == 0 {
			fmt.Fprintf(&b, "import %q\n", name)
			fmt.Fprintf(&b, "_%s: %s\n", name, map[string]string{"strings": "strings.ToUpper(\"x\")", "list": "list.Concat([[\"a\"], [\"b\"]])"}[name])
		}
	}
	b.WriteString("_names: [\"a\", \"b\"]\n_text: \"shared\"\n_number: 7\n")
	fmt.Fprintf(&b, "_template: {%s, ...}\n", drawFields(rt, "template", 2))
	for i := range rapid.IntRange(1, 3).Draw(rt, "lanes") {
		from := rapid.SampledFrom([]string{"", "", "_template & "}).Draw(rt, "from")
		fmt.Fprintf(&b, "lanes: l%d: %s{title: \"t%d\", description: \"d\"\n%s\njobs: j%d: {description: \"d\", command: [\"x\"]\n%s}}\n",
			i, from, i, drawFields(rt, "lane", 4), i, drawFields(rt, "job", 3))
	}
	return b.String()
}

// drawFields are fields of a lane or job: mostly right ones, in many ways to say
// them.
func drawFields(rt *rapid.T, of string, most int) string {
	names := map[string][]string{
		"template": {"target_id", "trigger", "timeout_secs", "system", "paths"},
		"lane": {"target_id", "trigger", "timeout_secs", "system", "paths", "concurrency_group", "host_setup", "incus", "payloads", "roles",
			"shared_prepare", "snapshot_exclude", "_hidden", "jobs"},
		"job": {"timeout_secs", "env", "secrets", "user", "cache", "needs", "artifacts", "host", "retries", "_hidden", "id"},
	}[of]
	var b strings.Builder
	for _, name := range rapid.Permutation(names).Draw(rt, "names")[:rapid.IntRange(0, most).Draw(rt, "fields")] {
		list := bareUsual[name]
		switch how := rapid.IntRange(0, 29).Draw(rt, "how"); {
		case how == 0 || len(list) == 0:
			list = bareValues
		case how < 24:
			list = list[:(len(list)+1)/2] // those that are right
		}
		value := rapid.SampledFrom(list).Draw(rt, "value")
		form := rapid.SampledFrom(bareForms).Draw(rt, "form")
		fmt.Fprintf(&b, form, name, value)
	}
	return b.String()
}

// bareForms are ways to give a field, %[1]s, a value, %[2]s.
var bareForms = []string{"%s: %s\n", "%s: %s\n", "%s: %s\n", "%s: %s\n", "let x%[1]s = %[2]s\n%[1]s: x%[1]s\n", "if true {%s: %s}\n",
	"for v in _names if v == \"a\" {%s: %s}\n", "if _number > 5 {%s: %s}\n", "%[1]s: %[2]s\n_%[1]s: %[1]s\n",
	"%[1]s: %[2]s\n_%[1]s: \"\\(%[1]s)\"\n", "%[1]s: _\n%[1]s: %[2]s\n", "{%s: %s}\n", "\"%s\": %s\n", "(\"%s\"): %s\n"}

// bareUsual are values that are right, and some that nearly are.
var bareUsual = map[string][]string{
	"target_id":         {`"t"`, `"t-\(_text)"`, `string & "t"`, `*"t" | string`, `"-t"`, `string`},
	"trigger":           {`"branch"`, `"nightly"`, `*"branch" | "nightly"`, `"nightly" | *"branch"`, `"x" | "branch"`, `"weekly"`},
	"timeout_secs":      {`60`, `_number`, `1_000`, `*60 | int`, `>59 & <61 & int`, `0`, `60.0`, `1k`, `604801`, `int | *5`},
	"system":            {`"x86_64-linux"`, `_text`, `""`},
	"paths":             {`["a"]`, `_names`, `["a", ...]`, `[for n in _names {"\(n)/**"}]`, `["a", 1]`, `[...string]`, `[if _number > 9 {"b"}, "c"]`},
	"concurrency_group": {`"g"`, `_text`, `""`},
	"host_setup":        {`[["a"]]`, `[_names]`, `[[]]`, `[]`, `[["a", ...]]`},
	"incus": {`{cpus: 1}`, `{cpus: 1, memory: "64MiB"}`, `{memory: "64"}`, `{}`, `{cpus: 1, bogus: 1}`, `_`, `{cpus: 1} & {memory: "1GiB"}`,
		`{cpus: 1, _x: cpus}`, `{instance_type: "container", cpus: *2 | int}`},
	"payloads":         {`[]`, `[{role: "r", output_name: "o"}]`, `[{role: "r"}]`, `[for n in _names {role: n, output_name: n}]`},
	"roles":            {`[]`, `[{role: "r"}]`},
	"shared_prepare":   {`{node_prefix: "p", description: "d"}`, `{node_prefix: "p"}`},
	"snapshot_exclude": {`["x"]`, `[".."]`, `[]`},
	"env":              {`{A: "a"}`, `{A: "a", B: "\(A)"}`, `{for n in _names {"E_\(n)": n}}`, `{"1A": "x"}`, `{A: 1}`, `{[string]: string, A: "x"}`, `{A: string}`},
	"secrets":          {`["S"]`, `["s-1"]`},
	"user":             {`0`, `-1`, `_number * 2`},
	"host":             {`true`, `false`, `1`},
	"retries":          {`0`, `_number`, `11`},
	"artifacts":        {`["*"]`, `_names`, `[_]`},
	"_hidden":          {`1`, `"x"`, `{a: 1}`, `_text`},
	"cache":            {`true`, `*true | bool`, `false`, `null`, `bool`},
	"needs":            {`["j0"]`, `[]`, `["-"]`, `[1]`},
	"id":               {`"j"`, `"j-\(_number)"`, `"-"`},
	"jobs": {`more: {description: "d", command: ["y"]}`, `more: {description: "d", command: []}`,
		`{for n in _names {"job-\(n)": {description: n, command: [n]}}}`, `[string]: timeout_secs: 5`, `[string]: bogus: 5`, `{}`},
}

var bareValues = []string{`"x"`, `1`, `true`, `null`, `[]`, `{}`, `_`, `string`, `{a: 1}`, `[1]`, `_text`, `_names`, `_template`, `"a" | "b"`, `len(_names)`, `!true`}
