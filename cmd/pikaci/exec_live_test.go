package main

import (
	"os"
	"strings"
	"testing"
)

// TestLiveSize tells where a run is drawn, and how wide.
func TestLiveSize(t *testing.T) {
	_, known := pty(t)
	resizeTo(t, known, 90, 30)
	_, unknown := pty(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		env           string
		on            *os.File
		columns, rows int // 0: it is not
	}{
		{"TERM=xterm", known, 90, 30},
		{"TERM=xterm COLUMNS=20 LINES=5", known, 90, 30},
		{"TERM=xterm", unknown, 0, 0},
		{"TERM=xterm COLUMNS=70 LINES=20", unknown, 70, 20},
		{"TERM=xterm COLUMNS=70", unknown, 0, 0},
		{"TERM=xterm COLUMNS=-1 LINES=x", unknown, 0, 0},
		{"TERM=xterm COLUMNS=70 LINES=20", file, 0, 0},
		{"TERM=dumb", known, 0, 0},
		{"", known, 0, 0},
		{"TERM=xterm CI=true", known, 0, 0},
		{"TERM=xterm CI=false", known, 90, 30},
		{"TERM=xterm NO_COLOR=1", known, 90, 30},
	} {
		size := liveSize(&session{env: strings.Fields(c.env), stderr: c.on})
		columns, rows := 0, 0
		if size != nil {
			columns, rows = size()
		}
		if columns != c.columns || rows != c.rows {
			t.Errorf("%q on %s: %d by %d, want %d by %d", c.env, c.on.Name(), columns, rows, c.columns, c.rows)
		}
	}
}
