// Package watching waits until files or folders change. It asks for them again
// and again instead of being told by the system: that also sees network and
// bind-mounted folders, files that are not there yet and files that are replaced
// by a rename, and costs little for some thousand names. It knows nothing of what
// the files are for.
package watching

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"
)

// How often is looked, and how long nothing may change before a change counts:
// an editor saves in several steps.
const (
	interval = 100 * time.Millisecond
	settle   = 50 * time.Millisecond
	// share is the part of the time that looking may take: one in so many.
	share = 50
)

// Look is how files and folders stood at a time, by name; nil where there is
// none.
type Look map[string]fs.FileInfo

// At looks at the names.
func At(names []string) Look {
	l := make(Look, len(names))
	for _, name := range names {
		l[name], _ = os.Stat(name)
	}
	return l
}

// Names are what is looked at.
func (l Look) Names() []string { return slices.Sorted(maps.Keys(l)) }

// Again looks at the same names.
func (l Look) Again() Look { return At(l.Names()) }

// Changed are the names, in no order, that stand otherwise in a later look; those
// that only one of the two has are left out.
func (l Look) Changed(later Look) []string {
	var names []string
	for name, before := range l {
		if after, both := later[name]; both && !same(before, after) {
			names = append(names, name)
		}
	}
	return names
}

// Touched reports whether a name that an earlier look lacks was changed since a
// time: nothing tells whether that was seen by who gave the name.
func (l Look) Touched(earlier Look, since time.Time) bool {
	for name, info := range l {
		if _, had := earlier[name]; !had && info != nil && !info.ModTime().Before(since.Add(-clockTick)) {
			return true
		}
	}
	return false
}

// clockTick is how much older than the clock a file's new time may be.
const clockTick = 20 * time.Millisecond

func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.Mode() == b.Mode() && a.ModTime().Equal(b.ModTime())
}

// Wait waits until something stands otherwise and changes no more, and gives the
// new look; nil if the context ends.
func (l Look) Wait(ctx context.Context) Look {
	before, pause := l, interval
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		start := time.Now()
		now := l.Again()
		still := len(before.Changed(now)) == 0
		if still && len(l.Changed(now)) > 0 {
			return now
		}
		pause = max(interval, share*time.Since(start))
		if !still {
			pause = settle
		}
		before = now
	}
}
