// Package runtimetest has what tests of the runtime share: a fake Incus server,
// and one suite that every executor must pass.
package runtimetest
