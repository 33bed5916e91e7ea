package main

import (
	"strings"
	"testing"
)

// TestScreen draws blocks on a terminal of ten columns and six rows: each takes
// the place of the one before, and what stood above is never touched.
func TestScreen(t *testing.T) {
	var b strings.Builder
	c := &screen{terminal: true, out: &b, size: func() (int, int) { return 10, 6 }}
	shows := func(want string, lines ...string) {
		t.Helper()
		b.Reset()
		if err := c.show(lines); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	}
	shows("\r\x1b[K\x1b[C\x1b[J\rone\ntwo\n", "one", "two")
	shows("\x1b[2A\r\x1b[K\x1b[C\x1b[J\r\x1b[1mone\x1b[0m\n", "\x1b[1mone\x1b[0m")
	shows("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r0123456789\n0123456789a\n日本語日本語\n", "0123456789", "0123456789a", "日本語日本語")
	shows("\x1b[5A\r\x1b[K\x1b[C\x1b[J\rx\n", "x")
	c.size = func() (int, int) { return 80, 6 }
	shows("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r1\n2\n3\n... and 3 lines that the terminal is too low for\nlast\n", "1", "2", "3", "4", "5", "6", "last")
	shows("\x1b[5A\r\x1b[K\x1b[C\x1b[J\rx\n", "x")
	c.size = func() (int, int) { return 0, 0 }
	shows("\x1b[1A\r\x1b[K\x1b[C\x1b[J\r1\n2\n3\n4\n5\n6\nlast\n", "1", "2", "3", "4", "5", "6", "last")

	c = &screen{out: &b, size: c.size}
	shows("1\n", "1")
	shows("2\n", "2")
}
