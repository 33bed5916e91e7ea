package record_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// TestWhereARunStands: a lock that is held is a run that goes on, one that is
// not is of a run that was killed, unless its events have an end.
func TestWhereARunStands(t *testing.T) {
	d := create(t)
	j, _ := open(t, d)
	wants := func(when string, want record.State) {
		t.Helper()
		past, err := d.Read()
		if err != nil {
			t.Fatal(err)
		}
		if past.State != want {
			t.Errorf("%s: %s, want %s", when, past.State, want)
		}
	}
	wants("without a lock", record.Unfinished)
	f, err := os.Create(filepath.Join(d.Path, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	wants("with a lock that nobody holds", record.Killed)
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	wants("with a lock that is held", record.Running)
	wants("asked again: asking takes nothing", record.Running)
	f.Close()
	wants("after its owner's end", record.Killed)
	if err := j.Append(event.Event{RunFinished: &event.RunFinished{Verdict: event.Passed}}, event.Later); err != nil {
		t.Fatal(err)
	}
	wants("with an end", record.Finished)
}
