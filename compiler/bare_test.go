package compiler

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// bareOutcome is what came of evaluating a package without the schema.
type bareOutcome struct{ tried, right bool }

// sameBare evaluates a package without the schema, as one part, and with it:
// what the first gives, the second gives too.
func sameBare(t *testing.T, dir string) (got bareOutcome) {
	t.Helper()
	s, err := openSource(dir)
	if err != nil {
		return got
	}
	files, err := s.parse()
	if err != nil {
		return got
	}
	e := &parts{source: s, places: readPlaces(s.tree, files), apart: takeApart(files)}
	if len(s.binding(e.places)) > 0 || e.apart == nil || !e.apart.bare {
		return got
	}
	got.tried = true
	e.ids, e.found = [][]string{e.apart.ids}, make([][]laneFile, 1)
	s.tree.loaded = true
	if e.readSchema() != nil {
		return got
	}
	if e.work(); e.wrong.Load() {
		return got
	}
	got.right = true
	lanes, roles, err := wholly(t, dir)
	if err != nil {
		t.Errorf("with the schema the package is not right: %v", err)
		return got
	}
	if !sameLanes(e.found[0], lanes) || !slices.Equal(e.roles, roles) {
		t.Errorf("with the schema the lanes are others:\n%+v %+v\n%+v %+v", e.found[0], e.roles, lanes, roles)
	}
	return got
}

// sameLanes compares lanes in any order.
func sameLanes(a, b []laneFile) bool {
	byID := func(a, b laneFile) int { return strings.Compare(a.id, b.id) }
	slices.SortFunc(a, byID)
	slices.SortFunc(b, byID)
	return slices.EqualFunc(a, b, func(a, b laneFile) bool { return reflect.DeepEqual(a, b) })
}

// wholly evaluates a package in one piece, bound to the schema.
func wholly(t *testing.T, dir string) ([]laneFile, []role, error) {
	t.Helper()
	s, err := openSource(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := s.parse()
	if err != nil {
		return nil, nil, err
	}
	lanes, roles, _, err := s.evaluateWhole(files)
	return lanes, roles, err
}

const bareBinding = "package lanes\nimport \"github.com/sledtools/pikaci/schema\"\nlanes: schema.#Lanes\nroles: schema.#Roles\n"

// TestBare tells which packages may be evaluated without the schema, and that it
// makes no difference where they may.
func TestBare(t *testing.T) {
	const lane = "lanes: one: {title: \"t\", description: \"d\", jobs: j: {description: \"d\", command: [\"x\"]}}\n"
	in := func(x string) string { return "lanes: one: " + x + "\n" }
	job := func(x string) string { return "lanes: one: jobs: j: " + x + "\n" }
	for _, c := range []struct {
		more string
		want bareOutcome
	}{
		{"", bareOutcome{true, true}},
		{in(`paths: ["a"]`) + job(`env: {A: "a", B: "\(A)"}`), bareOutcome{true, true}},
		{"_t: {target_id: string, system: \"s-\\(target_id)\"}\n" + in(`_t & {target_id: "x"}`), bareOutcome{true, true}},
		{"_e: [\"a\", \"b\"]\n" + job(`env: {for k, v in _e {"E\(k)": v}}`), bareOutcome{true, true}},
		{"import \"strings\"\n" + in(`{_n: "x", target_id: strings.ToUpper(_n)}`), bareOutcome{true, true}},
		{in(`{trigger: *"branch" | string, timeout_secs: *60 | int}`), bareOutcome{true, true}},
		{in(`{let x = "x", target_id: x, if target_id == "x" {system: "y"}}`), bareOutcome{true, true}},
		{"#T: {title: string, description: string, jobs: {...}}\n" + in(`#T`), bareOutcome{true, true}},
		{"lanes: [ID=string]: target_id: \"t-\\(ID)\"\n", bareOutcome{true, true}},
		{in(`timeout_secs: *5 | 0`), bareOutcome{true, true}},
		{in(`paths: ["a", ...]`), bareOutcome{true, true}},
		{in(`roles: []`) + "roles: []\n", bareOutcome{true, true}},

		// The schema refuses these.
		{in(`bogus: 1`), bareOutcome{true, false}},
		{in(`timeout_secs: 0`), bareOutcome{true, false}},
		{in(`timeout_secs: 60.0`), bareOutcome{true, false}},
		{in(`timeout_secs: 1_000_000_000_000_000_000_000`), bareOutcome{true, false}},
		{in(`trigger: "nightlyy"`), bareOutcome{true, false}},
		{in(`target_id: "-x"`), bareOutcome{true, false}},
		{in(`payloads: [{role: "x"}]`), bareOutcome{true, false}},
		{in(`host_setup: [[]]`), bareOutcome{true, false}},
		{in(`snapshot_exclude: [".."]`), bareOutcome{true, false}},
		{job(`env: "1A": "x"`), bareOutcome{true, false}},
		{job(`command: "x"`), bareOutcome{true, false}},
		{job(`user: -1`), bareOutcome{true, false}},
		{job(`cache: null`), bareOutcome{true, false}},
		{"lanes: two: title: \"t2\"\n", bareOutcome{true, false}},
		{"lanes: \"-two\": " + lane[len("lanes: one: "):], bareOutcome{true, false}},
		{"roles: [{role: \"r\"}]\n", bareOutcome{true, false}},
		// Of these it would leave one, or give the only one.
		{in(`trigger: "branch" | "x"`), bareOutcome{true, false}},
		{in(`trigger: *"x" | "branch"`), bareOutcome{true, false}},
		{in(`timeout_secs: >604799`), bareOutcome{true, false}},
		{in(`incus: _`), bareOutcome{true, false}},

		// These look at a struct that is closed by the schema.
		{in(`_h: jobs.j & {bogus: 1}`), bareOutcome{}},
		{in(`{jobs: j: _, _h: jobs.j & {bogus: 1}}`), bareOutcome{}},
		{in(`{jobs: j: _, _h: [for k, v in jobs.j {k}]}`), bareOutcome{}},
		{in(`{incus: {cpus: 1}, _h: incus, _h: bogus: 1}`), bareOutcome{}},
		{in(`{incus: {cpus: 1}, if incus.bogus == _|_ {system: "x"}}`), bareOutcome{}},
		{in(`{incus: {cpus: 1}, _h: "\(incus.bogus)"}`), bareOutcome{}},
		{in(`{incus: {cpus: 1}, _h: {if incus.bogus == "x" {a: 1}}}`), bareOutcome{}},
		{in(`{host_setup: [["a"]], _h: "\(host_setup[0][1])"}`), bareOutcome{}},
		{"import \"encoding/json\"\n" + in(`{incus: {cpus: 1}, target_id: json.Marshal(incus)}`), bareOutcome{}},
		{"import \"list\"\n" + in(`{payloads: [], _h: list.Contains(payloads, {})}`), bareOutcome{}},
		{"import \"list\"\n" + in(`{payloads: list.MatchN(0, {bogus: 1})}`), bareOutcome{}},
		{in(`{incus: {cpus: 1}, _h: incus == {cpus: 1}}`), bareOutcome{}},
		{in(`{incus: {cpus: 1} | {memory: "1MiB"}}`), bareOutcome{}},
		{in(`{incus: close({cpus: 1})}`), bareOutcome{}},
		{in(`{incus: {cpus: 1}, let x = incus, _h: x & {bogus: 1}}`), bareOutcome{}},
		{in(`{#d: {cpus: 1}, incus: #d}`), bareOutcome{}},
		{in(`bogus?: 1`), bareOutcome{}},
		{in(`{...{}}`), bareOutcome{}},
		{in(`X={target_id: "x", system: X.target_id}`), bareOutcome{}},
		// And these at what may be left of several.
		{in(`{trigger: *"branch" | "x" | "nightly", _h: trigger & "x"}`), bareOutcome{}},
		{in(`{_n: "x" | "branch", trigger: "y" | _n}`), bareOutcome{}},
		// These use the schema or roles themselves, or lead elsewhere.
		{"import s \"github.com/sledtools/pikaci/schema\"\n_h: s.#Job & {user: -1}\n", bareOutcome{}},
		{"import s \"github.com/sledtools/pikaci/schema\"\n" + in(`s.#Lane`), bareOutcome{}},
		{"import s \"github.com/sledtools/pikaci/schema\"\nlanes: s.#Roles\n", bareOutcome{}},
		{"import s \"github.com/sledtools/pikaci/schema\"\nlanes: s.#Incus\n", bareOutcome{}},
		{"_n: len(roles)\n", bareOutcome{}},
		{"import \"tool/exec\"\n_x: exec.Run\n", bareOutcome{}},
		{"_x: __string\n", bareOutcome{}},
	} {
		t.Run(strings.ReplaceAll(c.more, "/", "-"), func(t *testing.T) {
			// A lane is in one file, and imports come first.
			more, imports := c.more, ""
			if rest, ok := strings.CutPrefix(more, "import "); ok {
				spec, decls, _ := strings.Cut(rest, "\n")
				more, imports = decls, "import "+spec+"\n"
			}
			root := writeTree(t, map[string][]byte{
				"cue.mod/module.cue": []byte("module: \"example.com/m\"\nlanguage: version: \"v0.17.0\"\n"),
				"lanes/binding.cue":  []byte(bareBinding),
				"lanes/lane.cue":     []byte("package lanes\n" + imports + lane + more),
			})
			if got := sameBare(t, filepath.Join(root, "lanes")); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
