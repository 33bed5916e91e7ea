package changes

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// ParseList reads a list of paths as programs print one: separated by NUL
// characters where there are any, else by newlines. Of a list by lines, one in
// double quotes is a name as git quotes it.
func ParseList(list string) []string {
	var out []string
	if strings.Contains(list, "\x00") {
		for p := range strings.SplitSeq(list, "\x00") {
			if p != "" {
				out = append(out, p)
			}
		}
		return out
	}
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, `"`) {
			// Git escapes as C does, and Go reads those escapes.
			if plain, err := strconv.Unquote(line); err == nil {
				line = plain
			}
		}
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}

// Clean gives a path as globs match it: relative to the repository's root,
// without ./ in front. One that leaves the repository is an error.
func Clean(p string) (string, error) {
	clean := path.Clean(p)
	if path.IsAbs(clean) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", &Error{fmt.Sprintf("%q is not a path in the repository", p),
			"changed paths are relative to the repository's root, like crates/pikaci/src/run.rs"}
	}
	return clean, nil
}
