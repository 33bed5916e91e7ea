// Package doctest holds the documents against the code, as tests: links and
// names lead somewhere, examples can be read, and no field, event, flag or
// dependency is left out.
//
// It has no code of its own.
package doctest
