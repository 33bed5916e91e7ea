package plan

// maxGlobChoices is how many globs without braces one may stand for: matching
// tries each of them.
const maxGlobChoices = 1000

// GlobTooWide reports whether the braces of a glob stand for more choices than
// are tried: {a,b} doubles them, and twenty of it make a million.
func GlobTooWide(glob string) bool {
	// Of each open brace, how many choices it offers.
	var open []int
	total := 1
	for i := 0; i < len(glob); i++ {
		switch glob[i] {
		case '\\':
			i++
		case '{':
			open = append(open, 1)
		case ',':
			if len(open) > 0 {
				open[len(open)-1]++
			}
		case '}':
			if len(open) > 0 {
				total *= open[len(open)-1]
				open = open[:len(open)-1]
			}
		}
		if total > maxGlobChoices {
			return true
		}
	}
	return false
}
