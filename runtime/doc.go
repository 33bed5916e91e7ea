// Package runtime carries out a compiled plan: snapshot, builds, instances,
// commands, verdicts. It owns the order of things and what is recorded;
// executors do the work.
//
// It knows the plan and the events. It knows no CUE, no flag and no terminal,
// and neither Nix nor Incus: those are executors under it, given by cmd.
package runtime
