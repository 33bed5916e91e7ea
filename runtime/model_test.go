package runtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// model is a world with a real journal on disk, whose machine may lose power:
// of what was written since the journal was last synced, any part is lost then.
type model struct {
	*world
	t    *rapid.T
	plan *plan.Plan
	dir  *record.Dir
	// faults are what goes wrong on the server, by job.
	faults map[string]*serverFaults

	journalling sync.Mutex
	journal     *record.Journal
	// written and synced are lengths of the journal.
	written, synced int64
	// results are how commands ended, by job, whether it was recorded or not.
	results map[string][]event.Outcome
}

// serverFaults are how often the making of an instance fails, before it is made
// or after, and how often its deletion does, which may be always.
type serverFaults struct{ before, after, deletion int }

func drawFaults(rt *rapid.T, p *plan.Plan) map[string]*serverFaults {
	faults := map[string]*serverFaults{}
	for _, j := range p.Jobs {
		often := rapid.SampledFrom([]int{0, 0, 0, 0, 1, 2, 1000})
		faults[j.ID] = &serverFaults{often.Draw(rt, "create fails"), often.Draw(rt, "made and fails"), often.Draw(rt, "deletion fails")}
	}
	return faults
}

// Append writes as the run's owner does, until it is killed.
func (m *model) Append(e event.Event, safety event.Safety) error {
	m.journalling.Lock()
	defer m.journalling.Unlock()
	if err := m.world.Append(e, safety); err != nil {
		return err
	}
	if err := m.journal.Append(e, safety); err != nil {
		m.t.Errorf("append: %v", err)
	}
	if e.JobFinished != nil && safety == event.Later {
		m.t.Errorf("the verdict of %s is shown, and may never be on disk", e.JobFinished.Job)
	}
	info, err := os.Stat(filepath.Join(m.dir.Path, "events.jsonl"))
	if err != nil {
		m.t.Fatal(err)
	}
	if m.written = info.Size(); safety == event.Now {
		m.synced = m.written
	}
	return nil
}

// Execute is of runtime.Executor.
func (m *model) Execute(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	if t.Node.IncusInstance != nil {
		return m.make(ctx, t)
	}
	out, err := m.world.Execute(ctx, t)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dead() && err == nil && !t.Node.Prepares() {
		m.results[t.Job().Job.ID] = append(m.results[t.Job().Job.ID], out)
	}
	return out, err
}

func (m *model) make(ctx context.Context, t runtime.Task) (event.Outcome, error) {
	m.count(t.Node, 1)
	job := t.Job().Job.ID
	l := event.Lease{Kind: "incus_instance", Name: "i-" + job, Node: t.Node.ID, Job: job}
	if ctx.Err() != nil {
		return event.Outcome{}, context.Cause(ctx)
	}
	if err := t.Emit(event.Event{LeaseIntended: &l}); err != nil {
		return event.Outcome{}, err
	}
	if m.fails(job, func(f *serverFaults) *int { return &f.before }) {
		return event.Outcome{}, errors.New("not made")
	}
	m.intendedOnDisk(l.Name)
	m.set(l.Name, true)
	if m.fails(job, func(f *serverFaults) *int { return &f.after }) {
		return event.Outcome{}, errors.New("made, and the answer was lost")
	}
	l.UUID = "uuid"
	if err := t.Emit(event.Event{LeaseTaken: &l}); err != nil {
		return event.Outcome{}, err
	}
	if f := m.script[t.Node.ID]; f != nil {
		return f(ctx, t.Attempt)
	}
	return event.Outcome{Verdict: event.Passed}, nil
}

// fails reports whether a call fails this time.
func (m *model) fails(job string, which func(*serverFaults) *int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := which(m.faults[job])
	if m.dead() || *n == 0 {
		return false
	}
	*n--
	return true
}

// intendedOnDisk wants an instance to be known by the part of the journal that
// no loss of power takes.
func (m *model) intendedOnDisk(name string) {
	m.journalling.Lock()
	defer m.journalling.Unlock()
	if m.world.over() {
		return
	}
	found := false
	m.eachEvent(m.synced, func(e event.Event) { found = found || e.LeaseIntended != nil && e.LeaseIntended.Name == name })
	if !found {
		m.t.Errorf("%s is made, and its lease is not on disk", name)
	}
}

// over is dead, for those who don't hold mu.
func (w *world) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead()
}

// eachEvent reads the journal's first bytes.
func (m *model) eachEvent(size int64, each func(event.Event)) {
	f, err := os.Open(filepath.Join(m.dir.Path, "events.jsonl"))
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	err = record.ReadEvents(io.LimitReader(f, size), func(e event.Event) error { each(e); return nil })
	if err != nil {
		m.t.Fatalf("the journal can't be read: %v", err)
	}
}

// Release is of runtime.Releaser.
func (m *model) Release(ctx context.Context, l event.Lease) error {
	if m.fails(l.Job, func(f *serverFaults) *int { return &f.deletion }) {
		return errors.New("the server does not delete it")
	}
	return m.world.Release(ctx, l)
}

// carryOut carries the run out, or on, until it ends or is killed after that
// many events more; 0: it is not killed.
func (m *model) carryOut(t *testing.T, c runtime.Config, kill int) (s runtime.Summary, progress runtime.Progress) {
	lock, err := m.dir.Lock()
	if err != nil {
		m.t.Fatal(err)
	}
	defer lock.Release()
	watch := func(event.Event) {}
	if m.written == 0 {
		m.journal, err = m.dir.OpenJournal(watch)
	} else {
		m.eachEvent(m.written, progress.Add)
		c.Resume = &progress
		m.journal, c.Torn, err = lock.Reopen(watch)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.killedAt = 0
	if kill > 0 {
		m.killedAt = len(m.events) + kill
	}
	c.Builds, c.Instances, c.Guests, c.Hosts, c.Releaser, c.Journal, c.Adopter = m, m, m, m, m, m, m
	var closed error
	synctest.Test(t, func(*testing.T) {
		s, err = runtime.Run(context.Background(), c)
		closed = m.journal.Close()
	})
	if err != nil && !m.over() {
		m.t.Errorf("the run: %v", err)
	}
	if closed != nil {
		m.t.Error(closed)
	}
	live, _ := m.journal.Records()
	if past, err := m.dir.Read(); err != nil || asJSON(m.t, past.Run) != asJSON(m.t, live) {
		m.t.Errorf("the journal on disk folds to another record: %v\n%s\n%s", err, asJSON(m.t, past.Run), asJSON(m.t, live))
	}
	return s, progress
}

// loses cuts the journal off: of what was not synced, any part is lost. The
// world goes on as the next owner finds it.
func (m *model) loses(power bool) {
	size := m.written
	if power {
		size = int64(rapid.IntRange(int(m.synced), int(m.written)).Draw(m.t, "what is left"))
	}
	if err := os.Truncate(filepath.Join(m.dir.Path, "events.jsonl"), size); err != nil {
		m.t.Fatal(err)
	}
	m.written, m.synced = size, size
	next, _ := m.world.next()
	next.events = nil
	m.eachEvent(size, func(e event.Event) { next.events = append(next.events, e) })
	m.world = next
}

// known wants every instance that is there to be known by the journal.
func (m *model) known() {
	var p runtime.Progress
	told := map[string]bool{}
	m.eachEvent(m.written, func(e event.Event) {
		p.Add(e)
		if e.LeaseLeft != nil {
			told[e.LeaseLeft.Lease.Name] = true
		}
	})
	for _, l := range p.Leases {
		told[l.Name] = true
	}
	for name, there := range m.made {
		if there && !told[name] {
			m.t.Errorf("%s is there, and the journal does not tell of it", name)
		}
	}
}

// TestAnyRunOnAnyMachine holds random graphs on a server with random faults, on
// a machine that is killed or loses power at random moments, against the
// invariants: every node and job ends once in the journal, what was made is
// taken back or named, the journal is the record, and no verdict is a lie.
func TestAnyRunOnAnyMachine(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		jobs := rapid.IntRange(1, 5).Draw(rt, "jobs")
		p := drawPlan(rt, jobs)
		w := newWorld()
		for _, node := range p.Nodes {
			w.script[node.ID] = drawScript(rt, &node)
		}
		dir, err := record.Create(root, fmt.Sprintf("run-%d", n))
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{world: w, t: rt, plan: p, dir: dir, faults: drawFaults(rt, p), results: map[string][]event.Outcome{}}
		c := w.config(p)
		c.Capacity.Commands = rapid.IntRange(1, 3).Draw(rt, "parallel")
		c.InfraRetries = rapid.IntRange(0, 2).Draw(rt, "infra retries")
		for range rapid.IntRange(0, 4).Draw(rt, "kills") {
			m.carryOut(t, c, rapid.IntRange(1, 25).Draw(rt, "killed after"))
			m.loses(rapid.Bool().Draw(rt, "power"))
			m.known()
			if m.tells(func(e event.Event) bool { return e.RunFinished != nil }) || !m.tells(func(e event.Event) bool { return e.RunStarted != nil }) {
				return // there is nothing to resume
			}
			if rapid.IntRange(0, 3).Draw(rt, "collected") == 0 {
				clear(m.made)
			}
		}
		s, before := m.carryOut(t, c, 0)
		m.known()
		m.holdsInJournal(s, before)
	})
}

// tells reports whether the journal has such an event.
func (m *model) tells(which func(event.Event) bool) (tells bool) {
	m.eachEvent(m.written, func(e event.Event) { tells = tells || which(e) })
	return tells
}

// holdsInJournal holds what the journal tells of a run that ended.
func (m *model) holdsInJournal(s runtime.Summary, before runtime.Progress) {
	nodes, jobs, runs := map[string]int{}, map[string]int{}, 0
	left := map[string]bool{}
	m.eachEvent(m.written, func(e event.Event) {
		switch {
		case e.NodeFinished != nil:
			nodes[e.NodeFinished.Node]++
		case e.JobFinished != nil:
			jobs[e.JobFinished.Job]++
		case e.RunFinished != nil:
			runs++
		case e.LeaseLeft != nil:
			left[e.LeaseLeft.Lease.Name] = true
		case e.NodeStarted != nil && nodes[e.NodeStarted.Node] > 0:
			m.t.Errorf("%s had ended and is started again", e.NodeStarted.Node)
		}
	})
	for _, n := range m.plan.Nodes {
		if nodes[n.ID] != 1 {
			m.t.Errorf("%s ended %d times", n.ID, nodes[n.ID])
		}
	}
	if runs != 1 || len(jobs) != len(m.plan.Jobs) || len(s.Jobs) != len(m.plan.Jobs) {
		m.t.Errorf("%d ends of the run, %d jobs ended", runs, len(jobs))
	}
	for name, there := range m.made {
		if there && !left[name] {
			m.t.Errorf("%s is left, and nothing is said of it", name)
		}
	}
	for _, j := range s.Jobs {
		if jobs[j.Job] != 1 {
			m.t.Errorf("job %s ended %d times", j.Job, jobs[j.Job])
		}
		proved := false
		for _, r := range m.results[j.Job] {
			proved = proved || r.Verdict == j.Verdict && r.Failure == j.Failure
		}
		ran := j.Verdict == event.Passed || j.Failure == event.Test
		if ran && !proved {
			m.t.Errorf("job %s: %+v, and its command's ends were %+v", j.Job, j.Outcome, m.results[j.Job])
		}
		if earlier, over := before.Jobs[j.Job]; over && asJSON(m.t, earlier) != asJSON(m.t, j) {
			m.t.Errorf("job %s had ended with %+v and ends with %+v", j.Job, earlier, j)
		}
	}
}

func asJSON(t rapid.TB, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
