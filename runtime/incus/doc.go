// Package incus carries out what happens in Incus instances: it makes a job's
// instance, gives it its payloads, runs its command, brings its output and
// artifacts back, and takes the instance back.
//
// It is the only importer of the Incus client. Requests are made by pure
// functions of a job (requests.go, devices.go), so that a dry run shows what a
// run sends.
package incus
