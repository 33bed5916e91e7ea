package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func encoded(t testing.TB, p *Plan) []byte {
	t.Helper()
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	b, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	b := encoded(t, goodPlan())
	p, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if again := encoded(t, p); !bytes.Equal(b, again) {
		t.Errorf("another plan after decoding:\n%s", again)
	}
}

// A job that reads nothing is not one that reads all.
func TestReadingNothingIsNotReadingAll(t *testing.T) {
	p := goodPlan()
	p.Jobs[0].Reads = []string{}
	got, err := Decode(encoded(t, p))
	if err != nil {
		t.Fatal(err)
	}
	if got.Jobs[0].Reads == nil || len(got.Jobs[0].Reads) > 0 || got.Jobs[1].Reads != nil {
		t.Errorf("read back %q and %q", got.Jobs[0].Reads, got.Jobs[1].Reads)
	}
}

// TestEncodeInPieces holds it against encoding/json, for lists of every length
// about that of a piece.
func TestEncodeInPieces(t *testing.T) {
	for _, n := range []int{-1, 0, 1, pieceSize, pieceSize + 1, 2 * pieceSize, 5*pieceSize - 3} {
		p := goodPlan()
		p.Lanes, p.Jobs, p.Nodes = nil, nil, nil
		if n >= 0 {
			p.Lanes, p.Jobs, p.Nodes = make([]Lane, n), make([]Job, n), make([]Node, n/2)
		}
		for i := range p.Jobs {
			p.Jobs[i].ID = strings.Repeat("[", i%3) + "\n  ]"
		}
		b, err := Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(p); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, want.Bytes()) {
			t.Errorf("%d elements: the encoding is another", n)
		}
	}
}

// TestSealAndEncode holds it against what it is short for.
func TestSealAndEncode(t *testing.T) {
	for _, sources := range [][]Source{nil, {}, {{Path: "lanes/\n  \"selection\": {.cue", SHA256: "1"}, {Path: "b.cue", SHA256: "2"}}} {
		p := goodPlan()
		p.Sources = sources
		want := encoded(t, p)
		p.Digest = ""
		b, err := SealAndEncode(p)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, want) {
			t.Errorf("got\n%s\nwant\n%s", b, want)
		}
	}
}

// TestDigest checks what the digest covers: all but itself and the sources.
func TestDigest(t *testing.T) {
	p, q := goodPlan(), goodPlan()
	q.Sources = nil
	encoded(t, p)
	encoded(t, q)
	if p.Digest != q.Digest {
		t.Error("the digest covers the sources")
	}
	q.Jobs[0].Env["A"] = "2"
	encoded(t, q)
	if p.Digest == q.Digest {
		t.Error("the digest does not cover a job's env")
	}
}

func TestDecodeErrors(t *testing.T) {
	good := string(encoded(t, goodPlan()))
	replace := func(old, with string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("the plan does not hold %s", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for _, c := range []struct {
		name, plan, want string
		is               error
	}{
		{"empty", "", "1:1: empty", nil},
		{"blank", "\n\n", "empty", nil},
		{"not JSON", "lanes: {}\n", "not JSON", nil},
		{"another kind", "[]\n", "want", nil},
		{"no version", "{}\n", "1:1: no schema_version", nil},
		{"cut off", good[:len(good)/2], "the file is cut off", nil},
		{"newer", replace(`"schema_version": 1`, `"schema_version": 2`), "it has schema version 2, this pikaci reads version 1", ErrVersion},
		{"newer and otherwise unknown", `{"schema_version": 2, "stages": []}`, "it has schema version 2", ErrVersion},
		{"unknown field", replace(`"timeout_secs": 60`, `"timeout_sec": 60`), "timeout_sec", nil},
		{"wrong type", replace(`"timeout_secs": 60`, `"timeout_secs": "60"`), "jobs.timeout_secs: want whole number, found string", nil},
		{"edited", replace(`"timeout_secs": 60`, `"timeout_secs": 61`), "its digest says", ErrDigest},
		{"other case", replace(`"timeout_secs": 60`, `"Timeout_Secs": 60`), "not written as pikaci compile writes it", nil},
		{"doubled key", replace(`"timeout_secs": 60`, `"timeout_secs": 61, "timeout_secs": 60`), "not written as pikaci compile writes it", nil},
		{"other spaces", strings.TrimSuffix(good, "\n"), "not written as pikaci compile writes it", nil},
		{"more behind it", good + "{}", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Decode([]byte(c.plan))
			if err == nil || p != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v, want one line with %q", err, c.want)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
		})
	}
}

// TestDecodeChecks checks that a well-formed plan that breaks a rule is
// refused, though its digest fits.
func TestDecodeChecks(t *testing.T) {
	p := goodPlan()
	p.Jobs[0].TimeoutSecs = 0
	var problem *Problem
	if _, err := Decode(encoded(t, p)); !errors.As(err, &problem) {
		t.Errorf("got %v", err)
	}
}

// FuzzDecode checks that what Decode accepts breaks no rule and encodes to the
// same bytes, and that nothing makes it panic.
func FuzzDecode(f *testing.F) {
	good := encoded(f, goodPlan())
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte(`{"schema_version": 1}`))
	f.Add(bytes.Replace(good, []byte(`"guest_command"`), []byte(`"host_command"`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			_ = err.Error()
			return
		}
		if err := Check(p); err != nil {
			t.Errorf("decoded, but %v", err)
		}
		if again, err := Encode(p); err != nil || !bytes.Equal(again, b) {
			t.Errorf("encodes otherwise: %v", err)
		}
	})
}

// FuzzCheck gives Check plans whose digest does not fit: it must not panic on
// any.
func FuzzCheck(f *testing.F) {
	f.Add(encoded(f, goodPlan()))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var p Plan
		if json.Unmarshal(b, &p) == nil {
			_ = Check(&p)
			_ = p.Seal()
		}
	})
}
