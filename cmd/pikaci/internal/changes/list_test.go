package changes

import (
	"slices"
	"testing"
)

func TestParseList(t *testing.T) {
	for _, tt := range []struct {
		name, list string
		want       []string
	}{
		{"empty", "", nil},
		{"lines", "a\nb/c\n", []string{"a", "b/c"}},
		{"no final newline", "a\nb", []string{"a", "b"}},
		{"from Windows", "a\r\nb\r\n", []string{"a", "b"}},
		{"blank lines", "\n\na\n\n", []string{"a"}},
		{"NUL characters", "a\x00b\nc\x00", []string{"a", "b\nc"}},
		{"one NUL", "a b\x00", []string{"a b"}},
		{"spaces are part of a name", " a \n", []string{" a "}},
		{"quoted by git", "\"caf\\303\\251\"\n", []string{"café"}},
		{"a quote that does not end", "\"a\n", []string{"\"a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ParseList(tt.list); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"a/b": "a/b", "./a/b": "a/b", "a//b/": "a/b", "a/../b": "b", "..a": "..a",
		"/etc/passwd": "", "../a": "", "a/../../b": "", "": "", ".": "", "..": "",
	} {
		got, err := Clean(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Clean(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}
