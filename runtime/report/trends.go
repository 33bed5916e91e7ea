package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// Trends are how lanes, their jobs and payloads came along over many runs.
type Trends struct {
	// Runs are how many were looked at, and Unreadable how many of them could
	// not be read, or not to their end.
	Runs       int         `json:"runs"`
	Unreadable int         `json:"unreadable"`
	Lanes      []LaneTrend `json:"lanes"`
}

// LaneTrend is of a lane. Its time is from the start of its first command's
// node to the end of its last job: builds are not counted, waiting between is.
type LaneTrend struct {
	Lane string `json:"lane"`
	Tally
	Jobs     []JobTrend     `json:"jobs"`
	Payloads []PayloadTrend `json:"payloads"`
}

// JobTrend is of a job, from the start of its command's node.
type JobTrend struct {
	Job string `json:"job"`
	Tally
	// Inputs are how many different ones it had a verdict on: the same
	// snapshot, plan, and decisions of the host are the same inputs.
	Inputs int `json:"inputs"`
	// Flaky are those on which it both passed and failed: in several runs, or
	// at several attempts of one.
	Flaky []FlakyInputs `json:"flaky"`
}

// Tally counts verdicts and sums up durations.
type Tally struct {
	Passed int `json:"passed"`
	Failed int `json:"failed"`
	// Others were skipped, cancelled, cached, or could not be carried out.
	Others int `json:"others"`
	// The durations are of what passed: what fails mostly ends early.
	UsualMS *int64 `json:"usual_ms,omitempty"`
	LeastMS *int64 `json:"least_ms,omitempty"`
	MostMS  *int64 `json:"most_ms,omitempty"`
	LastMS  *int64 `json:"last_ms,omitempty"`
	// Points are each time, the oldest first.
	Points []TrendPoint `json:"points"`
}

// TrendPoint is a lane or job in one run.
type TrendPoint struct {
	Run        string        `json:"run"`
	StartedAt  time.Time     `json:"started_at"`
	Verdict    event.Verdict `json:"verdict"`
	Failure    event.Failure `json:"failure,omitempty"`
	DurationMS int64         `json:"duration_ms"`
}

// FlakyInputs are inputs on which a job both passed and failed.
type FlakyInputs struct {
	Snapshot   string `json:"snapshot,omitempty"`
	PlanDigest string `json:"plan_digest"`
	// Passed and Failed are the runs; one that failed, and passed at a later
	// attempt, is of both.
	Passed []string `json:"passed"`
	Failed []string `json:"failed"`
}

// PayloadTrend is of what a lane's node built.
type PayloadTrend struct {
	Node string `json:"node"`
	// Jobs are those that got it in the newest run.
	Jobs []string `json:"jobs"`
	// The sizes are of the output, as Nix counts it.
	UsualBytes int64       `json:"usual_bytes"`
	LeastBytes int64       `json:"least_bytes"`
	MostBytes  int64       `json:"most_bytes"`
	LastBytes  int64       `json:"last_bytes"`
	Points     []SizePoint `json:"points"`
}

// SizePoint is a payload in one run.
type SizePoint struct {
	Run          string    `json:"run"`
	StartedAt    time.Time `json:"started_at"`
	StorePath    string    `json:"store_path"`
	Bytes        int64     `json:"bytes"`
	ClosureBytes int64     `json:"closure_bytes"`
}

// TrendsOf sums up runs, whatever their order. Lane is the only one that is
// looked at, or empty. Lanes are sorted by name, and what is in them too.
func TrendsOf(runs []record.Past, lane string) Trends {
	runs = slices.SortedStableFunc(slices.Values(runs), func(a, b record.Past) int {
		return cmp.Or(a.Run.StartedAt.Compare(b.Run.StartedAt), strings.Compare(a.Run.ID, b.Run.ID))
	})
	t := &trends{lanes: map[string]*LaneTrend{}, jobs: map[[2]string]*JobTrend{}, lane: lane,
		inputs: map[[2]string]map[inputs]*FlakyInputs{}, payloads: map[[2]string]*PayloadTrend{}, laneOf: map[string]string{}}
	for _, past := range runs {
		for _, j := range past.Run.Jobs {
			if j.Lane != "" {
				t.laneOf[j.ID] = j.Lane // of one that only prepared, no job says it
			}
		}
	}
	for _, past := range runs {
		t.add(past)
	}
	return Trends{Runs: len(runs), Lanes: t.sum()}
}

// trends are Trends that are being made. Keys are of a lane and a job or node.
type trends struct {
	lane     string
	lanes    map[string]*LaneTrend
	jobs     map[[2]string]*JobTrend
	inputs   map[[2]string]map[inputs]*FlakyInputs
	payloads map[[2]string]*PayloadTrend
	laneOf   map[string]string
}

// inputs are all that a verdict may hang on. Where a run has no snapshot, it
// is like no other.
type inputs struct{ snapshot, plan, host, run string }

func inputsOf(r record.Run) inputs {
	if r.Snapshot == nil || r.Snapshot.ContentHash == "" {
		return inputs{run: r.ID, plan: r.PlanDigest}
	}
	return inputs{snapshot: r.Snapshot.ContentHash, plan: r.PlanDigest, host: r.HostDigest}
}

// wants reports whether the lane is looked at.
func (t *trends) wants(lane string) bool { return lane != "" && (t.lane == "" || t.lane == lane) }

func (t *trends) laneTrend(lane string) *LaneTrend {
	if t.lanes[lane] == nil {
		t.lanes[lane] = &LaneTrend{Lane: lane, Jobs: []JobTrend{}, Payloads: []PayloadTrend{}}
	}
	return t.lanes[lane]
}

func (t *trends) add(past record.Past) {
	r := past.Run
	nodes := make(map[string]*record.NodeRecord, len(r.Nodes))
	for i := range r.Nodes {
		nodes[r.Nodes[i].ID] = &r.Nodes[i]
	}
	for i := range r.Jobs {
		if j := &r.Jobs[i]; j.Verdict != "" && t.wants(j.Lane) {
			t.addJob(r, j, nodes[plan.ExecuteID(j.ID)])
		}
	}
	for _, l := range r.Lanes {
		if l.Verdict != "" && t.wants(l.ID) {
			t.laneTrend(l.ID).count(TrendPoint{Run: r.ID, StartedAt: r.StartedAt, Verdict: l.Verdict, DurationMS: laneTime(r, l.ID, nodes)})
		}
	}
	t.addPayloads(past)
}

func (t *trends) addJob(r record.Run, j *record.JobRecord, n *record.NodeRecord) {
	key := [2]string{j.Lane, j.ID}
	if t.jobs[key] == nil {
		t.laneTrend(j.Lane)
		t.jobs[key] = &JobTrend{Job: j.ID, Flaky: []FlakyInputs{}}
		t.inputs[key] = map[inputs]*FlakyInputs{}
	}
	t.jobs[key].count(TrendPoint{Run: r.ID, StartedAt: r.StartedAt, Verdict: j.Verdict, Failure: j.Failure, DurationMS: j.DurationMS})
	passed, failed := j.Verdict == event.Passed, ofTheCode(j.Outcome)
	if n != nil {
		failed = failed || slices.ContainsFunc(n.Retried, ofTheCode)
	}
	if !passed && !failed {
		return
	}
	in := inputsOf(r)
	f := t.inputs[key][in]
	if f == nil {
		f = &FlakyInputs{Snapshot: in.snapshot, PlanDigest: in.plan, Passed: []string{}, Failed: []string{}}
		t.inputs[key][in] = f
	}
	if passed {
		f.Passed = append(f.Passed, r.ID)
	}
	if failed {
		f.Failed = append(f.Failed, r.ID)
	}
}

// ofTheCode reports whether a failure says something of what ran: one of the
// host, or of a build, makes no job flaky.
func ofTheCode(o event.Outcome) bool {
	return o.Verdict == event.Failed && (o.Failure == event.Test || o.Failure == event.Timeout)
}

// laneTime is from the start of the lane's first command's node to the end of
// its last job; 0 where none ran.
func laneTime(r record.Run, lane string, nodes map[string]*record.NodeRecord) int64 {
	var from, to time.Time
	for _, j := range r.Jobs {
		n := nodes[plan.ExecuteID(j.ID)]
		if j.Lane != lane || n == nil || n.StartedAt == nil || j.Verdict == "" {
			continue
		}
		if from.IsZero() || n.StartedAt.Before(from) {
			from = *n.StartedAt
		}
		if end := n.StartedAt.Add(time.Duration(j.DurationMS) * time.Millisecond); end.After(to) {
			to = end
		}
	}
	return to.Sub(from).Milliseconds()
}

// addPayloads takes the outputs whose size is known.
func (t *trends) addPayloads(past record.Past) {
	for _, o := range past.Outputs.Outputs {
		if o.Bytes == 0 {
			continue // of a pikaci that did not note it
		}
		byLane := map[string][]string{}
		for _, e := range o.Exposures {
			if lane := t.laneOf[e.Job]; t.wants(lane) && !slices.Contains(byLane[lane], e.Job) {
				byLane[lane] = append(byLane[lane], e.Job)
			}
		}
		for lane, jobs := range byLane {
			key := [2]string{lane, o.Node}
			if t.payloads[key] == nil {
				t.laneTrend(lane)
				t.payloads[key] = &PayloadTrend{Node: o.Node}
			}
			p := t.payloads[key]
			p.Jobs = slices.Sorted(slices.Values(jobs))
			p.Points = append(p.Points, SizePoint{Run: past.Run.ID, StartedAt: past.Run.StartedAt, StorePath: o.StorePath,
				Bytes: o.Bytes, ClosureBytes: o.ClosureBytes})
		}
	}
}

// count takes the next point.
func (t *Tally) count(p TrendPoint) {
	switch {
	case p.Verdict == event.Passed:
		t.Passed++
	case p.Verdict == event.Failed && (p.Failure == "" || p.Failure == event.Test || p.Failure == event.Timeout):
		t.Failed++
	default:
		t.Others++
	}
	t.Points = append(t.Points, p)
}

// durations are those of what passed, the oldest first.
func (t *Tally) durations() []int64 {
	var all []int64
	for _, p := range t.Points {
		if p.Verdict == event.Passed {
			all = append(all, p.DurationMS)
		}
	}
	return all
}

// sum works out what is known once all points are there.
func (t *Tally) sum() {
	if all := t.durations(); len(all) > 0 {
		least, most, last := slices.Min(all), slices.Max(all), all[len(all)-1]
		t.UsualMS, t.LeastMS, t.MostMS, t.LastMS = median(all), &least, &most, &last
	}
}

func (p *PayloadTrend) sum() {
	all := p.sizes()
	p.UsualBytes, p.LeastBytes, p.MostBytes, p.LastBytes = *median(all), slices.Min(all), slices.Max(all), all[len(all)-1]
}

func (p *PayloadTrend) sizes() []int64 {
	var all []int64
	for _, point := range p.Points {
		all = append(all, point.Bytes)
	}
	return all
}

// sum puts jobs and payloads into their lanes.
func (t *trends) sum() []LaneTrend {
	for key, j := range t.jobs {
		for _, f := range t.inputs[key] {
			j.Inputs++
			if len(f.Passed) > 0 && len(f.Failed) > 0 {
				j.Flaky = append(j.Flaky, *f)
			}
		}
		slices.SortFunc(j.Flaky, func(a, b FlakyInputs) int { return strings.Compare(a.Failed[0], b.Failed[0]) })
		j.Tally.sum()
		t.lanes[key[0]].Jobs = append(t.lanes[key[0]].Jobs, *j)
	}
	for key, p := range t.payloads {
		p.sum()
		t.lanes[key[0]].Payloads = append(t.lanes[key[0]].Payloads, *p)
	}
	list := []LaneTrend{}
	for _, l := range t.lanes {
		l.Tally.sum()
		if l.Points == nil {
			l.Points = []TrendPoint{}
		}
		slices.SortFunc(l.Jobs, func(a, b JobTrend) int { return strings.Compare(a.Job, b.Job) })
		slices.SortFunc(l.Payloads, func(a, b PayloadTrend) int { return strings.Compare(a.Node, b.Node) })
		list = append(list, *l)
	}
	slices.SortFunc(list, func(a, b LaneTrend) int { return strings.Compare(a.Lane, b.Lane) })
	return list
}
