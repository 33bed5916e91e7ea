package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sledtools/pikaci/compiler"
)

// maxDiagnostics is how many mistakes are printed before the rest is a number.
// They come first, so warnings are the rest more often.
const maxDiagnostics = 20

// maxQuoted is how much of a source line is shown, in columns.
const maxQuoted = 100

// textErrors prints diagnostics for people.
func textErrors(found compiler.Diagnostics, c palette) []byte {
	var b bytes.Buffer
	for i, d := range found {
		if i == maxDiagnostics {
			fmt.Fprintf(&b, "pikaci: and %d more\n", len(found)-i)
			break
		}
		textError(&b, d, c)
		// One hint is enough for neighbours of the same kind.
		if d.Hint != "" && (i+1 == len(found) || i+1 == maxDiagnostics || found[i+1].Hint != d.Hint) {
			fmt.Fprintf(&b, "hint: %s\n", printable(d.Hint))
		}
	}
	return b.Bytes()
}

func textError(b *bytes.Buffer, d compiler.Diagnostic, c palette) {
	at, message := d.Position.String(), oneLine(strings.TrimSpace(d.Message))
	if at == "" {
		// An error of another kind may have several lines.
		at, message = "pikaci", d.Message
	}
	mark, word := c.red, ""
	if d.Severity == compiler.Warning {
		mark, word = c.yellow, "warning: "
	}
	fmt.Fprintf(b, "%s%s:%s %s%s%s%s\n", c.bold, printable(at), c.off, mark, word, printable(message), c.off)
	if d.Source != "" {
		line, caret := underlined(d)
		number := fmt.Sprintf("%5d", d.Position.Line)
		fmt.Fprintf(b, "%s%s |%s %s\n", c.blue, number, c.off, line)
		fmt.Fprintf(b, "%s%s |%s %s%s%s\n", c.blue, strings.Repeat(" ", len(number)), c.off, mark, caret, c.off)
	}
	if d.Path != "" {
		fmt.Fprintf(b, "    in %s\n", printable(oneLine(d.Path)))
	}
	for _, other := range d.Others {
		fmt.Fprintf(b, "    see %s\n", printable(other.String()))
	}
}

// underlined is a diagnostic's source line as a terminal shows it, and a line
// with carets under the word that is meant. Tabs become four spaces: a tab
// stop behind the margin would lie elsewhere than in an editor.
func underlined(d compiler.Diagnostic) (line, caret string) {
	var b strings.Builder
	from, to := -1, -1
	end := d.Position.Column - 1 + wordLength(d.Source, d.Position.Column-1)
	columns := 0
	for i, r := range d.Source {
		if i >= d.Position.Column-1 && from < 0 {
			from = columns
		}
		if i >= end && to < 0 {
			to = columns
		}
		shown := printable(string(r))
		if r == '\t' {
			shown = "    "
		}
		b.WriteString(shown)
		columns += width(r, shown)
	}
	if from < 0 {
		from = columns
	}
	if to < 0 {
		to = max(columns, from+1)
	}
	return window(b.String(), from, to)
}

// width is how many columns a character takes: none for a mark upon the one
// before, two for those of East Asia and pictures.
func width(r rune, shown string) int {
	switch {
	case utf8.RuneCountInString(shown) > 1:
		return len(shown)
	case unicode.Is(unicode.Mn, r):
		return 0
	case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xff00 && r <= 0xff60 || r >= 0x1f300 && r <= 0x1faff):
		return 2
	}
	return 1
}

// window cuts a long line to what surrounds the carets.
func window(line string, from, to int) (shown, caret string) {
	runes := []rune(line)
	if len(runes) > maxQuoted && from < len(runes) {
		start := max(0, min(from-maxQuoted/3, len(runes)-maxQuoted))
		stop := min(len(runes), start+maxQuoted)
		line, from, to = string(runes[start:stop]), from-start, to-start
		if stop < len(runes) {
			line += "..."
		}
		if start > 0 {
			line, from, to = "..."+line, from+3, to+3
		}
	}
	return strings.TrimRight(line, " "), strings.Repeat(" ", from) + strings.Repeat("^", max(1, min(to-from, maxQuoted)))
}

// wordLength is the length in bytes of what begins at an offset of a line: a
// name, a number or a text in quotes, else one character.
func wordLength(line string, at int) int {
	if at < 0 || at >= len(line) {
		return 1
	}
	rest := line[at:]
	if rest[0] == '"' {
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(rest)
	}
	n := strings.IndexFunc(rest, func(r rune) bool {
		return !(unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_$#.-", r))
	})
	if n < 0 {
		n = len(rest)
	}
	return max(n, 1)
}
