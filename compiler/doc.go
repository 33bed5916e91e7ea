// Package compiler turns lane files into a plan, or into diagnostics that say
// where in the lane files what is wrong.
//
// It is the only importer of CUE, and no CUE value outlives its validate
// stage. It reads files and evaluates them; it runs nothing, writes nothing
// and asks no network. Its stages, each a file: load, validate, decode, check
// the catalogue, select, make the payload specs, wire the graph.
package compiler
