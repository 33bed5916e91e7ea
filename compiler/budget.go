package compiler

import (
	"errors"
	"fmt"
	"runtime/metrics"
	"time"
)

// Budget bounds what evaluating lane files may take: some inputs keep CUE's
// evaluator busy for minutes and gigabytes, and it can't be interrupted.
type Budget struct {
	Time time.Duration
	// Memory is in bytes, of the whole process.
	Memory uint64
}

// DefaultBudget is hundreds of times what lane files take.
func DefaultBudget() Budget { return Budget{Time: 10 * time.Second, Memory: 1 << 30} }

// maxStacks is how much of the memory may be stacks: Go kills a process whose
// recursion takes 1 GB, and nothing can be said any more.
const maxStacks = 200 << 20

// tooMuch says what spends a budget as a rule.
const tooMuch = "look for nested disjunctions, comprehensions over long lists and fields that refer to themselves; "

// budgetTick is how often time and memory are looked at.
const budgetTick = 20 * time.Millisecond

// run runs the evaluation and gives up on it when the budget is spent. The
// evaluation then goes on in vain until the process ends, which is soon.
//
// whole says what is evaluated. After half of the time, or once three quarters of
// the memory are taken, which the collector tries to stay under, search begins: it
// evaluates the lane files piece by piece beside the evaluation, so that the error
// can name the piece that takes so long.
func (b Budget) run(whole Diagnostic, evaluate func() error, search func(*search)) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- &panicked{r}
			}
		}()
		done <- evaluate()
	}()
	found := newSearch(whole)
	defer found.stop()
	start := time.Now()
	look := time.NewTicker(budgetTick)
	defer look.Stop()
	begun := false
	for {
		select {
		case err := <-done:
			if p := new(panicked); errors.As(err, &p) {
				if !begun {
					go found.run(search)
				}
				return found.panicked(p, b.Time-time.Since(start))
			}
			return err
		case <-look.C:
		}
		took, values, stacks := time.Since(start), memoryInUse("objects"), memoryInUse("stacks")
		switch {
		case stacks > maxStacks:
			return found.over(" nests too deep", "")
		case took >= b.Time:
			return found.over(" took over "+b.Time.String(), tooMuch+"--max-time allows more")
		case values+stacks > b.Memory:
			return found.over(fmt.Sprintf(" took over %d MiB of memory", b.Memory>>20), tooMuch+"--max-memory allows more")
		case !begun && (took >= b.Time/2 || values+stacks > b.Memory/4*3 || stacks > maxStacks/4):
			begun = true
			go found.run(search)
		}
	}
}

// laneFiles is what is told of all lane files of a folder.
func laneFiles(dir string) Diagnostic {
	return Diagnostic{Position: Position{File: dir}, Message: "evaluating the lane files"}
}

// panicked is an evaluation that ended in a panic: a mistake of CUE's own.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("the evaluator of CUE panicked: %v", p.value) }

// memoryInUse is what the process holds for its values or its stacks, in bytes.
func memoryInUse(what string) uint64 {
	held := []metrics.Sample{{Name: "/memory/classes/heap/" + what + ":bytes"}}
	metrics.Read(held)
	return held[0].Value.Uint64()
}
