package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// screen shows one block of lines after the other: on a terminal each in place
// of the one before, below what stood there at the beginning, else one below the
// other.
type screen struct {
	w        io.Writer
	terminal bool
	// shown are the lines on the terminal.
	shown []string
	// size gives the terminal's columns and rows; 0 where they are not known.
	size func() (columns, rows int)
	// out takes what is shown, and keeps an error.
	out io.Writer
}

// newScreen shows on a session's stdout.
func newScreen(s *session) *screen {
	stdout := s.stdout
	c := &screen{w: stdout, out: stdout}
	if kept, ok := stdout.(*output); ok {
		c.w = kept.w
	}
	term, _ := s.lookupEnv("TERM")
	c.terminal = isTerminal(c.w) && term != "dumb"
	c.size = func() (int, int) {
		f, ok := c.w.(*os.File)
		if !ok {
			return 0, 0
		}
		return s.sizeOf(f)
	}
	return c
}

// show shows a block.
func (c *screen) show(lines []string) error {
	var b strings.Builder
	if c.terminal {
		columns, rows := c.size()
		if up := taken(c.shown, columns); up > 0 {
			fmt.Fprintf(&b, "\x1b[%dA", up)
		}
		// All of a screen at once would be kept by tmux.
		b.WriteString("\r\x1b[K\x1b[C\x1b[J\r")
		lines = fitting(lines, columns, rows)
		c.shown = lines
	}
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(c.out, b.String())
	return err
}

// end leaves the line that the terminal wrote ^C to.
func (c *screen) end() {
	if c.terminal {
		io.WriteString(c.out, "\n")
	}
}

// fitting are the lines that a terminal can show and clear again, as what was
// scrolled out of it stays there: the first ones and the last one, which says how
// it stands.
func fitting(lines []string, columns, rows int) []string {
	if rows == 0 || taken(lines, columns) < rows {
		return lines
	}
	head, last := lines[:len(lines)-1], lines[len(lines)-1]
	for n := len(head); n >= 0; n-- {
		head = slices.Concat(lines[:n], []string{fmt.Sprintf("... and %d lines that the terminal is too low for", len(lines)-1-n), last})
		if taken(head, columns) < rows {
			break
		}
	}
	return head
}

// taken is how many rows lines take on a terminal.
func taken(lines []string, columns int) int {
	rows := 0
	for _, line := range lines {
		wide := 0
		for _, r := range escapes.ReplaceAllString(line, "") {
			wide += width(r, string(r))
		}
		rows++
		if columns > 0 && wide > 0 {
			rows += (wide - 1) / columns
		}
	}
	return rows
}

// escapes are the colours of a line.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// counted is a number of things.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
