// Package host carries out jobs that run on the host itself: each in its own
// copy of the snapshot and in a process group of its own, under the same rules
// of time, signals and environment as a guest's.
package host
