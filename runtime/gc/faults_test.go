package gc_test

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sledtools/pikaci/runtime/gc"
	"github.com/sledtools/pikaci/runtime/runtimetest"
)

// Whatever goes wrong with whichever call of a collection, it ends, what is not
// a dead run's stays, what it says is gone is gone, and a collection later
// takes the rest. Nothing goes if the list is not whole.
func TestAnyCallOfACollectionMayGoWrong(t *testing.T) {
	calls := collectWith(t, nil)
	for _, call := range calls {
		for _, fault := range call.Faults() {
			if fault == runtimetest.DoneDies || fault == runtimetest.Late {
				continue // the first never comes back, the second deletes by itself
			}
			t.Run(fmt.Sprintf("%s %d %s", call.What, call.N, fault), func(t *testing.T) {
				collectWith(t, func(c runtimetest.Call) runtimetest.Fault {
					if c == call {
						return fault
					}
					return runtimetest.NoFault
				})
			})
		}
	}
	if len(calls) < 8 {
		t.Errorf("the calls are %v", calls)
	}
}

// collectWith collects on a server with faults, and once more without.
func collectWith(t *testing.T, faulty func(runtimetest.Call) runtimetest.Fault) (calls []runtimetest.Call) {
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		y := &yard{t: t, root: root, server: runtimetest.NewIncusWithin(t)}
		old := y.run("dead", 48*time.Hour, ended())
		lock, err := y.run("live", time.Minute).Lock()
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Release()
		y.instance("mine", "dead", "a")
		y.instance("mine", "dead", "b")
		stay := []string{y.instance("mine", "live", "a"), y.instance("theirs", "dead", "c")}
		slices.Sort(stay)
		o := y.options()
		o.Keep = 0
		before := len(y.server.Calls())
		var over atomic.Bool
		y.server.Faulty = func(c runtimetest.Call) runtimetest.Fault {
			if faulty == nil || over.Load() {
				return runtimetest.NoFault
			}
			c.N -= count(y.server.Calls()[:before], c.What)
			return faulty(c)
		}
		began := time.Now()
		items, err := gc.Plan(t.Context(), o)
		if err == nil {
			err = gc.Collect(t.Context(), o, items)
		}
		if took := time.Since(began); took > 10*time.Minute {
			t.Errorf("it took %s", took)
		}
		if items == nil && err == nil {
			t.Error("neither a plan nor an error")
		}
		y.checkCollected(items, err, old.Path)
		for _, c := range y.server.Calls()[before:] {
			c.N -= count(y.server.Calls()[:before], c.What)
			calls = append(calls, c)
		}
		over.Store(true)
		time.Sleep(time.Minute) // it is back
		y.collect(o)
		if left := y.server.Instances(); !slices.Equal(left, stay) {
			t.Errorf("left %q, want %q", left, stay)
		}
	})
	return calls
}

func count(calls []runtimetest.Call, what string) (n int) {
	for _, c := range calls {
		if c.What == what {
			n++
		}
	}
	return n
}

// checkCollected wants what is said to be gone to be gone, and an error for
// the rest.
func (y *yard) checkCollected(items []gc.Item, err error, dir string) {
	y.t.Helper()
	there := y.server.Instances()
	for _, i := range items {
		if i.Run != "dead" {
			continue
		}
		isThere := slices.Contains(there, i.Name)
		if i.Kind == gc.RunDirectory {
			_, statErr := os.Stat(dir)
			isThere = statErr == nil
			if !isThere && len(there) > 2 { // those that stay
				y.t.Error("the directory is gone before its instances")
			}
		}
		if i.Removed == isThere || i.Remove != (i.Removed || i.Error != "") {
			y.t.Errorf("%+v, and there is %q", i, there)
		}
		if i.Error != "" && err == nil {
			y.t.Errorf("%+v, and no error", i)
		}
	}
}
