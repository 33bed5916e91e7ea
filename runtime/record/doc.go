// Package record is the run directory: it makes it, writes it, reads it back
// and folds its events into what happened.
//
// events.jsonl is the truth; every other record is derived from it and can be
// written again. It knows no executor and no terminal.
package record
