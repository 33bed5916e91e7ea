package snapshot

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// tellEvery is the time between two tellings of how far a copy is.
const tellEvery = 250 * time.Millisecond

// watch tells how far the copy is, until stop, which waits for the last telling.
// What there is to copy is counted beside it, and only once it is seen to take
// long: of a small tree counting would take as long as copying.
func (c *copier) watch(source string) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		var counted chan int64
		total := int64(0)
		for {
			select {
			case total = <-counted:
			case <-tick.C:
				if counted == nil {
					counted = make(chan int64, 1)
					go func() { counted <- c.count(source, over) }()
				}
				c.told(c.bytes.Load(), total)
			case <-over:
				return
			}
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

// count is how many bytes the files have that will be copied; what can't be read
// has none: copying will say it. Once the copy is over it counts no more.
func (c *copier) count(source string, over <-chan struct{}) int64 {
	total := int64(0)
	filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		select {
		case <-over:
			return fs.SkipAll
		default:
		}
		switch {
		case err != nil || path == source:
			return nil
		case c.filter.leavesOut(d.Name(), filepath.Dir(path) == filepath.Clean(source)):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.IsDir() && !d.Type().IsRegular():
			return nil
		case d.IsDir() && len(c.avoid) == 0:
			return nil
		}
		info, err := d.Info()
		switch {
		case err != nil:
		case d.IsDir() && slices.ContainsFunc(c.avoid, func(a os.FileInfo) bool { return os.SameFile(a, info) }):
			return fs.SkipDir
		case !d.IsDir():
			total += info.Size()
		}
		return nil
	})
	return total
}
