// Package plan is the compiled plan as Go data: what compile writes and exec
// reads. It holds the types, the checks that make a plan safe to carry out,
// and the one encoding.
//
// It knows nothing of CUE, Incus, Nix or the file system, and imports only the
// standard library. plan.cue in the folder above describes the same shape for
// other programs; a test holds the two against each other.
package plan
