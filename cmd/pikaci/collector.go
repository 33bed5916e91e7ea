package main

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A compile is over before most of its garbage is worth collecting: letting the
// heap grow to roomyHeap saves a tenth of the time of small ones, and of large
// ones half of the memory that as rare collections would take there.
const (
	roomyHeap = 144 << 20
	// rarely and often bound by how many percent the heap grows from one
	// collection to the next.
	rarely, often = 400, 300
)

// paceCollector has garbage collected rarely while the heap is small. It goes on
// until the process ends.
func paceCollector() {
	debug.SetGCPercent(rarely)
	go func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		percent := uint64(rarely)
		for range time.Tick(10 * time.Millisecond) {
			metrics.Read(live)
			used := max(live[0].Value.Uint64(), 1)
			want := min(max((roomyHeap-min(used, roomyHeap))*100/used, often), rarely)
			if want != percent {
				percent = want
				debug.SetGCPercent(int(percent))
			}
		}
	}()
}

// runsPercent has a run's garbage collected when the heap has grown to three
// times of what lives: of thousands of jobs that is a twelfth of the time, for
// next to no memory.
const runsPercent = 200
