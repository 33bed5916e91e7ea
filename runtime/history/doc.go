// Package history finds the runs of a state root: by id, by the beginning of
// one, by lane, the latest, and lists them, the newest first.
//
// The run directories are the truth. What it has read of runs that ended it
// keeps in one file, which may be deleted at any time and is then made again.
// It knows no executor and no terminal.
package history
