package record

// State is where a run stands.
type State string

// The states.
const (
	// Finished: it ended by itself and has a verdict.
	Finished State = "finished"
	// Running: it has no end yet, and a process owns it.
	Running State = "running"
	// Killed: it has no end, and will not have one: nobody owns it.
	Killed State = "killed"
	// Unfinished: it has no end, and bears no lock that says more.
	Unfinished State = "unfinished"
)

// Stands is the state of a run that has no end yet. Whoever owns a run holds a
// lock on a file of it as long as its process lives; asking takes nothing. Ask
// before the events are read, or read them again: a run may end in between.
func (d *Dir) Stands() State {
	live, err := d.Live()
	switch {
	case err != nil || !d.has(lockFile):
		return Unfinished
	case live:
		return Running
	}
	return Killed
}
