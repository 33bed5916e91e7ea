package report

import "slices"

// Sparks draw a row of numbers in one line of text.
type Sparks struct {
	// levels are the marks, the lowest first.
	levels []rune
}

// The two kinds of sparks: blocks, and digits for where those can't be shown.
// All blocks would make lines of a table touch.
var (
	BlockSparks = Sparks{[]rune("▁▂▃▅▇")}
	DigitSparks = Sparks{[]rune("12345")}
)

const (
	// maxSparks is how many numbers are drawn: the last.
	maxSparks = 20
	// flatPercent is the spread, of the largest, that is not worth drawing.
	flatPercent = 5
)

// Draw draws the last of the numbers between their least and their most. One
// that hardly changes is drawn flat, in the middle.
func (s Sparks) Draw(numbers []int64) string {
	numbers = numbers[max(0, len(numbers)-maxSparks):]
	if len(numbers) == 0 {
		return ""
	}
	least, most := slices.Min(numbers), slices.Max(numbers)
	line := make([]rune, len(numbers))
	for i, n := range numbers {
		line[i] = s.levels[len(s.levels)/2]
		if float64(most-least) > float64(most)*flatPercent/100 {
			at := float64(n-least) / float64(most-least) * float64(len(s.levels))
			line[i] = s.levels[min(int(at), len(s.levels)-1)]
		}
	}
	return string(line)
}
