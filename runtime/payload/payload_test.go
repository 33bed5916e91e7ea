package payload_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/payload"
	"github.com/sledtools/pikaci/schema/plan"
)

// mounts is a manifest with one mount.
func mounts(name, relative, guest string, readOnly any) string {
	return fmt.Sprintf(`{"schema_version": 1, "kind": "k", "entrypoints": [{"name": "e", "relative_path": "bin/e"}],
		"asset_roots": [], "mounts": [{"name": %q, "relative_path": %q, "guest_path": %q, "read_only": %v}]}`,
		name, relative, guest, readOnly)
}

func TestEachRuleOfAManifest(t *testing.T) {
	many := strings.Repeat(`{"name": "a", "relative_path": "x", "guest_path": "/m", "read_only": true},`, 64)
	for _, c := range []struct{ name, manifest, want string }{
		{"right", mounts("m", "bin", "/opt/x", true), ""},
		{"all of it", mounts("m", ".", "/opt/x", true), ""},
		{"no mounts", `{"schema_version": 1, "mounts": []}`, ""},
		{"another version", `{"schema_version": 2}`, "schema_version is 2: this pikaci reads version 1"},
		{"no version", `{}`, "schema_version is 0"},
		{"no name", mounts("", "bin", "/x", true), "mounts[0]: name \"\" is empty"},
		{"one name twice", strings.Replace(mounts("m", "a", "/x", true), `"mounts": [`,
			`"mounts": [{"name": "m", "relative_path": "b", "guest_path": "/y", "read_only": true}, `, 1), "mounts[1]: name \"m\""},
		{"absolute source", mounts("m", "/etc", "/x", true), "not a path inside the output"},
		{"source above", mounts("m", "a/../../b", "/x", true), "not a path inside the output"},
		{"source is ..", mounts("m", "..", "/x", true), "not a path inside the output"},
		{"no source", mounts("m", "", "/x", true), "not a path inside the output"},
		{"relative place", mounts("m", "a", "x", true), "guest_path \"x\" is not"},
		{"place not normalized", mounts("m", "a", "/x/../y", true), "is not an absolute, normalized path"},
		{"place with a slash at its end", mounts("m", "a", "/x/", true), "is not an absolute, normalized path"},
		{"place is the root", mounts("m", "a", "/", true), "other than /"},
		{"place with an end of line", mounts("m", "a", "/x\ny", true), "is not an absolute"},
		{"writable", mounts("m", "a", "/x", false), "read_only is false"},
		{"read_only of another type", mounts("m", "a", "/x", `"yes"`), "read_only"},
		{"too many", `{"schema_version": 1, "mounts": [` + many + `{"name": "b"}]}`, "65 mounts: want at most 64"},
		{"an unknown field", `{"schema_version": 1, "extra": 1}`, `unknown field "extra"`},
		{"two values", `{"schema_version": 1} {}`, "more than one JSON value"},
		{"cut off", `{"schema_version": 1`, "unexpected EOF"},
		{"a list", `[]`, "cannot unmarshal array"},
		{"null", `null`, "schema_version is 0"},
		{"nothing", ``, "EOF"},
		{"too large", strings.Repeat(" ", 1<<20) + `{}`, "over 1 MiB"},
	} {
		_, err := payload.DecodeManifest([]byte(c.manifest))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzDecodeManifest(f *testing.F) {
	f.Add([]byte(mounts("m", "bin", "/opt/x", true)))
	f.Add([]byte(mounts("m", "a/../b", "/x y", true)))
	f.Add([]byte(`{"schema_version": 1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := payload.DecodeManifest(b)
		if err != nil {
			return
		}
		for _, mount := range m.Mounts {
			inside := filepath.Join("/out", mount.RelativePath)
			if inside != "/out" && !strings.HasPrefix(inside, "/out/") {
				t.Errorf("%q leads to %s", mount.RelativePath, inside)
			}
			if !filepath.IsAbs(mount.GuestPath) || filepath.Clean(mount.GuestPath) != mount.GuestPath || mount.GuestPath == "/" {
				t.Errorf("guest path %q", mount.GuestPath)
			}
		}
	})
}

// output makes a folder with links of all kinds.
func output(t *testing.T) string {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	for _, name := range []string{"out/real", "outside", "out/share/pikaci"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"in": "real", "chain": "in", "up": "../outside", "absolute": "/etc",
		"back": "../out/real", "broken": "nosuch", "self": "self", "beside": "../out2"} {
		if err := os.Symlink(to, filepath.Join(out, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "out2"), 0o755); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSourcesStayInsideTheOutput(t *testing.T) {
	out := output(t)
	s := plan.StagedPreparedPayload{Role: "r", GuestMountPath: "/staged"}
	for from, want := range map[string]string{
		"real": "real", "in": "real", "chain": "real", "back": "real", ".": ".",
		"up": "leads out", "absolute": "leads out", "beside": "leads out",
		"broken": "no such file", "nosuch": "no such file", "self": "too many links",
	} {
		m := &event.Manifest{Mounts: []event.ManifestMount{{Name: "m", RelativePath: from, GuestPath: "/m"}}}
		got, err := payload.Mounts(s, out, m)
		switch {
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%s: %v, want %q", from, err, want)
		case err == nil && got[0].Source != filepath.Join(out, want):
			t.Errorf("%s: %s, want %q", from, got[0].Source, want)
		}
	}
}

func TestAnOutputWithoutMountsIsMountedWhole(t *testing.T) {
	out := output(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(out, link); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*event.Manifest{nil, {}} {
		got, err := payload.Mounts(plan.StagedPreparedPayload{Role: "r", GuestMountPath: "/staged"}, link, m)
		if err != nil || len(got) != 1 || got[0] != (payload.Mount{Name: "r", Source: out, GuestPath: "/staged"}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestAManifestIsReadFromTheOutputOnly(t *testing.T) {
	out := output(t)
	if m, err := payload.ReadManifest(out); m != nil || err != nil {
		t.Errorf("without one: %v, %v", m, err)
	}
	name := filepath.Join(out, payload.ManifestPath)
	if err := os.WriteFile(filepath.Join(out, "../outside/m"), []byte(`{"schema_version": 1}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../../../outside/m", name); err != nil {
		t.Fatal(err)
	}
	if m, err := payload.ReadManifest(out); err == nil {
		t.Errorf("one that lies outside: %v", m)
	}
	os.Remove(name)
	if err := os.WriteFile(name, []byte(`{"schema_version": 1, "kind": "k"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if m, err := payload.ReadManifest(out); err != nil || m.Kind != "k" {
		t.Errorf("%v, %v", m, err)
	}
}
