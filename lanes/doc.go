// Package lanes holds this repository's lane files (CUE) and the tests that
// compile them. It has no Go code of its own.
package lanes
