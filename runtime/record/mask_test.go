package record

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// masked runs the chunks through a mask, flush included.
func masked(secrets []string, chunks ...string) string {
	var b bytes.Buffer
	m := newMask(secrets, func(p []byte) { b.Write(p) })
	for _, c := range chunks {
		m.write([]byte(c))
	}
	m.flush()
	return b.String()
}

// covered says of each byte whether any secret covers it.
func covered(secrets []string, text string) []bool {
	c := make([]bool, len(text))
	for _, s := range secrets {
		for i := range text {
			for j := 0; strings.HasPrefix(text[i:], s) && j < len(s); j++ {
				c[i+j] = true
			}
		}
	}
	return c
}

// reference masks the first end bytes of a text the slow and plain way: every
// byte that any secret covers goes, and each run of them becomes three stars.
func reference(secrets []string, text string, end int) string {
	c := covered(secrets, text)
	var b strings.Builder
	for i := range end {
		switch {
		case !c[i]:
			b.WriteByte(text[i])
		case i == 0 || !c[i-1]:
			b.WriteString("***")
		}
	}
	return b.String()
}

// cut splits a text at random places, also into empty pieces.
func cut(t *rapid.T, text string) []string {
	var chunks []string
	for rest := text; ; {
		n := rapid.IntRange(0, len(rest)).Draw(t, "cut")
		if len(chunks) > 20 {
			n = len(rest)
		}
		chunks = append(chunks, rest[:n])
		if rest = rest[n:]; rest == "" {
			return chunks
		}
	}
}

func TestMaskIsTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few letters, so that secrets overlap, begin and hold one another.
		secret := rapid.StringMatching(`[abc]{1,6}`)
		secrets := rapid.SliceOfN(secret, 1, 4).Draw(t, "secrets")
		piece := rapid.OneOf(rapid.StringMatching(`[abcd\n]{0,5}`), rapid.SampledFrom(secrets))
		text := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "text"), "")
		got := masked(secrets, cut(t, text)...)
		if want := reference(secrets, text, len(text)); got != want {
			t.Fatalf("%q\ngot  %q\nwant %q", text, got, want)
		}
		for _, s := range secrets {
			if strings.Contains(got, s) {
				t.Fatalf("%q shows %q", got, s)
			}
		}
	})
}

func TestMaskOfKnownCases(t *testing.T) {
	for _, tt := range []struct {
		name    string
		secrets []string
		in      string
		want    string
	}{
		{"none", nil, "all is shown", "all is shown"},
		{"empty", []string{"", "\n"}, "all is shown", "all is shown"},
		{"plain", []string{"hunter2"}, "pw=hunter2;", "pw=***;"},
		{"prefix of another", []string{"tok", "token-1"}, "tok token-1 token", "*** *** ***en"},
		// The end of the long one must not be shown because a short one
		// begins before it.
		{"overlap", []string{"xab", "abcdefgh"}, "xabcdefgh!", "***!"},
		{"overlaps itself", []string{"aa"}, "baaab", "b***b"},
		{"side by side", []string{"abc"}, "abcabc", "***"},
		{"within another", []string{"bc", "abcd"}, "abcd bc abc", "*** *** a***"},
		{"final newline of a file", []string{"s3cret\n"}, "is s3cret", "is ***"},
		{"blanks around", []string{"  s3cret\t"}, "is s3cret", "is ***"},
		{"not UTF-8", []string{"\xff\xfe"}, "a\xff\xfeb\xff", "a***b\xff"},
		{"NUL", []string{"a\x00b"}, "xa\x00by", "x***y"},
		{"a beginning of it at the end", []string{"hunter2"}, "hunter", "hunter"},
		{"stars around", []string{"q"}, "*q*", "*****"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := masked(tt.secrets, tt.in); got != tt.want {
				t.Errorf("whole: got %q, want %q", got, tt.want)
			}
			if got := masked(tt.secrets, strings.Split(tt.in, "")...); got != tt.want {
				t.Errorf("a character at a time: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMaskOfAKeyOfManyLines(t *testing.T) {
	key := "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\nab=\n-----END KEY-----\n"
	for name, tt := range map[string][2]string{
		"whole":        {"key: " + key, "key: ***\n"},
		"CRLF":         {strings.ReplaceAll(key, "\n", "\r\n"), "***\r\n***\r\n***\r\nab=\r\n***\r\n"},
		"indented":     {"  " + strings.ReplaceAll(key, "\n", "\n  "), "  ***\n  ***\n  ***\n  ab=\n  ***\n  "},
		"line by line": {"1: hkiG9w0BAQEFAASC.", "1: ***."},
	} {
		// The key's own newline is part of the secret, too.
		got := masked([]string{key}, strings.Split(tt[0], "")...)
		if strings.TrimSuffix(got, "\n") != strings.TrimSuffix(tt[1], "\n") {
			t.Errorf("%s: got %q, want %q", name, got, tt[1])
		}
	}
}

// TestMaskHoldsBackNoMore: what can't become a secret any more is out at once.
func TestMaskHoldsBackNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(rapid.StringMatching(`[ab]{1,6}`), 1, 3).Draw(t, "secrets")
		chunks := rapid.SliceOfN(rapid.StringMatching(`[abc]{0,4}`), 1, 8).Draw(t, "chunks")
		var out strings.Builder
		m := newMask(secrets, func(p []byte) { out.Write(p) })
		text := ""
		for _, c := range chunks {
			m.write([]byte(c))
			text += c
			if want := reference(secrets, text, decided(secrets, text)); out.String() != want {
				t.Fatalf("after %q: out %q, want %q", text, out.String(), want)
			}
		}
	})
}

// decided is how much of text is masked in the same way whatever follows: up
// to where a secret may have begun that is not whole yet, and on as far as
// other secrets cover it anyway.
func decided(secrets []string, text string) int {
	end := len(text)
	for i := range text {
		for _, s := range secrets {
			if len(s) > len(text)-i && strings.HasPrefix(s, text[i:]) {
				end = min(end, i)
			}
		}
	}
	for c := covered(secrets, text); end < len(text) && c[end]; {
		end++
	}
	return end
}

func BenchmarkMask(b *testing.B) {
	long := strings.Repeat("-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n", 40)
	text := []byte(strings.Repeat("a line of a log that says nothing of interest to anyone\n", 600))
	for name, secrets := range map[string][]string{
		"none": nil, "three": {"hunter2", "s3cret-token-of-some-length", long},
		"often": {"log", "not there at all", long},
	} {
		b.Run(fmt.Sprint(name), func(b *testing.B) {
			m := newMask(secrets, func([]byte) {})
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.write(text)
			}
		})
	}
}
