// Package nix carries out Nix builds: it builds an installable of the run's
// snapshot, holds its garbage-collector root in the run directory, links the
// output where the plan wants it, and says what was built.
//
// It runs the nix program; it knows no Incus and no job beyond who waits for a
// build.
package nix
