// Package result finds passes of earlier runs that stand in for jobs, and keeps
// those of a run that ended.
//
// A pass is known by its key: the digest of all that the job's result hangs on.
// What is kept of it is only where it is, in a file named by the key; the proof
// is the record of the run that it names. So a file that is damaged, foreign or
// old is no pass, and none is lost that can't be had again by running the job.
package result
