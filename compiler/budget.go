package compiler

import (
	"fmt"
	"runtime/metrics"
	"time"
)

// budget bounds what evaluating lane files may take: some inputs keep CUE's
// evaluator busy for minutes and gigabytes, and it can't be interrupted.
type budget struct {
	time   time.Duration
	memory uint64 // bytes of heap
}

// defaultBudget is thousands of times what lane files take.
func defaultBudget() budget { return budget{time: 30 * time.Second, memory: 2 << 30} }

// run runs the evaluation and gives up on it when the budget is spent. The
// evaluation then goes on in vain until the process ends, which is soon.
func (b budget) run(dir string, evaluate func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("the evaluator of CUE panicked on the lane files in %s: %v", dir, r)
			}
		}()
		done <- evaluate()
	}()
	over := func(what string) error {
		return Diagnostics{{Position: Position{File: dir}, Message: "evaluating the lane files took over " + what,
			Hint: "look for nested disjunctions and comprehensions; cue eval on one file at a time shows which"}}
	}
	limit := time.NewTimer(b.time)
	defer limit.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for {
		select {
		case err := <-done:
			return err
		case <-limit.C:
			return over(b.time.String())
		case <-look.C:
			if metrics.Read(heap); heap[0].Value.Uint64() > b.memory {
				return over(fmt.Sprintf("%d MiB of memory", b.memory>>20))
			}
		}
	}
}
