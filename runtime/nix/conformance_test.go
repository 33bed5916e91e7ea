package nix_test

import (
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/nix"
	"github.com/sledtools/pikaci/runtime/runtimetest"
)

func TestConformance(t *testing.T) {
	runtimetest.Conformance(t, func(t *testing.T, how runtimetest.Behaviour) runtimetest.Trial {
		b := newBench(t)
		attr := map[runtimetest.Behaviour]string{runtimetest.PassesSoon: "good", runtimetest.FailsSoon: "bad",
			runtimetest.CantBe: "good", runtimetest.Blocks: "slow"}[how]
		options := nix.Options{Settings: settings}
		if how == runtimetest.CantBe {
			options.Program = "nosuchnix"
		}
		task, l := b.task("n", attr)
		return runtimetest.Trial{Executor: nix.New(options), Task: task,
			Began:    func() bool { return strings.Contains(l.String(), "begun") },
			TakeBack: func() []string { return nil }} // its output is the store's
	})
}
