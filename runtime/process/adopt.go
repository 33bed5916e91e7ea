package process

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Orphans are the processes below this one whose own parent has ended.
type Orphans struct {
	// One looks at a time: until it is buried, an orphan keeps its number, which
	// nobody else's process has meanwhile.
	mu sync.Mutex
	// children lists the children of the main thread.
	children *os.File
}

// buryEvery is how long an orphan that ended may still have its number: others
// may wait until it has none.
const buryEvery = 100 * time.Millisecond

// Adopt makes this process the parent of every process below it whose own
// parent ends. They become children of the main thread, which must start none
// itself: an init function locks the main goroutine to it, and that only waits.
// It is called once in a process.
func Adopt() (*Orphans, error) {
	if err := adopt(); err != nil {
		return nil, err
	}
	pid := os.Getpid()
	f, err := os.Open(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, fmt.Errorf("list orphans: %w", err)
	}
	o := &Orphans{children: f}
	go func() {
		for range time.Tick(buryEvery) {
			o.None()
		}
	}()
	return o, nil
}

// None reports whether there are none: of a command that was waited for nothing
// goes on then. Those that ended are buried.
func (o *Orphans) None() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := make([]byte, 4<<10)
	for range 2 {
		// What the kernel lists while processes end may lack some, but is never
		// empty while there are any.
		n, err := o.children.ReadAt(b, 0)
		if n == 0 {
			return err == io.EOF
		}
		for field := range bytes.FieldsSeq(b[:n]) {
			if pid, err := strconv.Atoi(string(field)); err == nil {
				syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			}
		}
	}
	return false
}
