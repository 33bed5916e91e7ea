package main

import (
	"math"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/compiler"
)

// maxStack is when Go kills a process for its stack, in bytes: far above what
// the compiler's budget allows, so that the budget is what speaks.
const maxStack = 4 << 30

// budgetFlags are what the evaluation of lane files may take.
type budgetFlags struct {
	time   time.Duration
	memory string
}

func declareBudget(set *pflag.FlagSet) *budgetFlags {
	f, standard := new(budgetFlags), compiler.DefaultBudget()
	set.DurationVar(&f.time, "max-time", standard.Time, "`TIME` that evaluating the lane files may take (default 10s)")
	set.StringVar(&f.memory, "max-memory", "1GiB", "`SIZE` that evaluating the lane files may take, in MiB or GiB (default 1GiB)")
	return f
}

// budget gives the flags' values, and has the collector keep within them.
func (f *budgetFlags) budget() (compiler.Budget, error) {
	var b compiler.Budget
	if f.time <= 0 {
		return b, usage("", "--max-time must be over 0, and is %s", f.time)
	}
	memory, err := parseSize("--max-memory", f.memory)
	if err != nil {
		return b, err
	}
	// What the collector has not come to yet is no reason to give up.
	debug.SetMemoryLimit(int64(memory / 4 * 3))
	debug.SetMaxStack(maxStack)
	return compiler.Budget{Time: f.time, Memory: memory}, nil
}

// parseSize reads a number of MiB or GiB as bytes.
func parseSize(flag, text string) (uint64, error) {
	for unit, bytes := range map[string]uint64{"MiB": 1 << 20, "GiB": 1 << 30} {
		if digits, found := strings.CutSuffix(text, unit); found {
			n, err := strconv.ParseUint(digits, 10, 64)
			if err == nil && n > 0 && n <= math.MaxInt64/bytes {
				return n * bytes, nil
			}
		}
	}
	return 0, usage("", "%s can't be %q: want a number over 0 with MiB or GiB, like 1GiB", flag, text)
}
