//go:build !race

package compiler

// raced says that the test was built with the race detector, under which all
// takes several times the time and memory.
const raced = false
