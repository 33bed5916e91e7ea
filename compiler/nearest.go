package compiler

// nearest is the known name that is most like a mistyped one, or empty where
// none is near enough to be meant.
func nearest(name string, known []string) string {
	best, found := len(name)/3+2, ""
	for _, k := range known {
		if d := distance(name, k); d < best {
			best, found = d, k
		}
	}
	return found
}

// distance counts the letters to add, drop, replace or swap with the next one
// to get from a to b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// meant is the hint that names the nearest known name.
func meant(name string, known []string) string {
	return didYouMean(nearest(name, known))
}

func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}
