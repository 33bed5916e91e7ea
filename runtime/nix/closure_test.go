package nix

import (
	"testing"
)

// TestPathInfoOfEveryNix: a list up to Nix 2.18, an object since.
func TestPathInfoOfEveryNix(t *testing.T) {
	const a, b, c = "/nix/store/a-out", "/nix/store/b-lib", "/nix/store/c-libc"
	for name, says := range map[string]string{
		"list": `[{"path":"` + c + `","narSize":5,"references":["` + c + `"]},
			{"path":"` + b + `","narSize":20,"references":["` + c + `"]},
			{"path":"` + a + `","narHash":"sha256-x","narSize":300,"references":["` + b + `"],"ultimate":true}]`,
		"object": `{"` + a + `":{"narSize":300,"references":["` + b + `"],"ca":null},
			"` + b + `":{"narSize":20,"references":["` + c + `"]},"` + c + `":{"narSize":5,"references":["` + c + `"]}}`,
	} {
		paths, err := decodePathInfo([]byte(says))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := outputOf(a, paths)
		want := output{StorePath: a, Closure: b + "\n" + c + "\n", Bytes: 300, ClosureBytes: 325}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
		if got, err = outputOf(c, paths[:0:0]); err == nil {
			t.Errorf("%s: of an output that is not named: %+v", name, got)
		}
	}
	for _, says := range []string{"", "null", `{"a":1}`, `[1]`} {
		if paths, err := decodePathInfo([]byte(says)); err == nil && len(paths) > 0 {
			t.Errorf("%q gives %+v", says, paths)
		}
	}
}
