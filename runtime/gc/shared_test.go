package gc_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sledtools/pikaci/internal/dirlock"
	"github.com/sledtools/pikaci/runtime/gc"
	"github.com/sledtools/pikaci/schema/plan"
)

// shared makes what runs share, last used that long ago.
func (y *yard) shared(name string, ago time.Duration) {
	y.t.Helper()
	l, err := dirlock.Take(filepath.Join(y.root, name), true)
	if err == nil {
		at := time.Now().Add(-ago)
		err = errors.Join(os.WriteFile(filepath.Join(y.root, name, "content"), nil, 0o644), os.Chtimes(l.File.Name(), at, at), l.Release())
	}
	if err != nil {
		y.t.Fatal(err)
	}
}

const day = 24 * time.Hour

func TestWhatNobodyUsedForLongGoes(t *testing.T) {
	y := newYard(t)
	y.shared("caches/old", 31*day)
	y.shared("caches/young", 29*day)
	y.shared("devshells/a-shell.drv", 31*day)
	y.shared("devshells/b-shell.drv", time.Hour)
	for name, ago := range map[string]time.Duration{"devshells/of-old": 31 * day, "devshells/of-young": day} {
		at := time.Now().Add(-ago)
		if err := errors.Join(os.WriteFile(filepath.Join(y.root, name), []byte("x.drv"), 0o644), os.Chtimes(filepath.Join(y.root, name), at, at)); err != nil {
			t.Fatal(err)
		}
	}
	o := y.options()
	o.CacheAge = 30 * day

	// One run alone is not about what runs share.
	d := y.run("ended", day, ended())
	one := o
	one.Run = d.ID
	if got := y.collect(one); len(got) > 0 {
		t.Errorf("of one run: removed %q", got)
	}
	if got := y.collect(o); !slices.Equal(got, []string{"caches/old", "devshells/a-shell.drv"}) {
		t.Errorf("removed %q", got)
	}
	for name, there := range map[string]bool{"caches/old": false, "caches/young": true, "devshells/a-shell.drv": false,
		"devshells/b-shell.drv": true, "devshells/of-old": false, "devshells/of-young": true} {
		if _, err := os.Stat(filepath.Join(y.root, name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsInUseStays(t *testing.T) {
	y := newYard(t)
	for _, name := range []string{"caches/had", "caches/lane", "caches/free", "devshells/had.drv"} {
		y.shared(name, 31*day)
	}
	o := y.options()
	o.CacheAge = 0

	// A run under way has the lane, though none of its jobs has the cache now.
	d := y.run("live", day)
	p := plan.Plan{Lanes: []plan.Lane{{ID: "lane", Title: "t", Trigger: plan.Branch, Chosen: true, HostSetup: [][]string{}, Jobs: []string{"j"}},
		{ID: "free", Title: "o", Trigger: plan.Branch, HostSetup: [][]string{}, Jobs: []string{}}},
		Jobs: []plan.Job{{ID: "j", Lane: "lane", TimeoutSecs: 1, WorkingDir: ".", Env: map[string]string{}, HostCache: true,
			Secrets: []string{}, Needs: []string{}, Artifacts: []string{}, StagedPayloads: []plan.StagedPreparedPayload{}}},
		Nodes: []plan.Node{{ID: "execute-j", DependsOn: []string{}, Jobs: []string{"j"}, HostCommand: &plan.HostCommand{Job: "j", Command: []string{"true"}}}}}
	b, err := plan.SealAndEncode(&p)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Write("plan.json", b); err != nil {
		t.Fatal(err)
	}
	lock, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	items, err := gc.Plan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	// Between the look and the removal, a job takes one.
	var held []*dirlock.Lock
	for name, shared := range map[string]bool{"caches/had": false, "devshells/had.drv": true} {
		l, err := dirlock.Take(filepath.Join(y.root, name), shared)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, l)
	}
	if err := gc.Collect(t.Context(), o, items); err != nil {
		t.Fatal(err)
	}
	why := map[string]string{}
	for _, i := range items {
		if i.Removed {
			why[i.Name] = "removed"
		} else if i.Kind != gc.RunDirectory {
			why[i.Name] = i.Why
		}
	}
	want := map[string]string{"caches/had": "it is in use", "caches/lane": "run live is under way, which has the lane",
		"caches/free": "removed", "devshells/had.drv": "it is in use"}
	for name, w := range want {
		if why[name] != w {
			t.Errorf("%s: %q, want %q", name, why[name], w)
		}
	}
	for _, l := range held {
		l.Release()
	}
	lock.Release()
	if got := y.collect(o); !slices.Equal(got, []string{"caches/had", "caches/lane", "devshells/had.drv"}) {
		t.Errorf("afterwards, removed %q", got)
	}
}
