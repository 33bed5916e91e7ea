package report

import (
	"strconv"
	"strings"
)

// sgr is an escape sequence that only sets colours and the like (SGR), without
// what could hide text; empty for all others. Of those that it holds several
// of, each stands for itself.
func sgr(escape []byte) string {
	params, ok := strings.CutPrefix(string(escape), "\x1b[")
	if !ok {
		return ""
	}
	params, ok = strings.CutSuffix(params, "m")
	if !ok || strings.ContainsFunc(params, func(r rune) bool { return r != ';' && (r < '0' || r > '9') }) {
		return "" // something else, or of one terminal only
	}
	var kept []string
	for words := strings.Split(params, ";"); len(words) > 0; {
		n := 1
		switch words[0] {
		case "38", "48": // a colour of a palette or of three parts follows
			n = colourLen(words)
			if n == 0 {
				return "" // what follows can't be told apart
			}
			kept = append(kept, strings.Join(words[:n], ";"))
		default:
			if harmless(words[0]) {
				kept = append(kept, words[0])
			}
		}
		words = words[n:]
	}
	if len(kept) == 0 {
		return ""
	}
	return "\x1b[" + strings.Join(kept, ";") + "m"
}

// colourLen is how many parameters a colour takes, 0 where it is none.
func colourLen(words []string) int {
	n := 0
	switch {
	case len(words) >= 3 && words[1] == "5":
		n = 3
	case len(words) >= 5 && words[1] == "2":
		n = 5
	default:
		return 0
	}
	for _, w := range words[2:n] {
		if v, err := strconv.Atoi(w); err != nil || v < 0 || v > 255 || len(w) > 3 {
			return 0
		}
	}
	return n
}

// harmless is reset, bold, faint, italic, underline, inverse, crossed out,
// their ends, and the sixteen colours. Not: blinking, concealed, fonts.
func harmless(word string) bool {
	if word == "" {
		return true // a reset
	}
	v, err := strconv.Atoi(word)
	if err != nil || len(word) > 3 {
		return false
	}
	switch {
	case v >= 0 && v <= 4, v == 7, v == 9, v >= 22 && v <= 24, v == 27, v == 29:
		return true
	case v >= 30 && v <= 49 && v != 38 && v != 48, v >= 90 && v <= 97, v >= 100 && v <= 107:
		return true
	}
	return false
}
