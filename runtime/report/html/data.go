package html

import (
	"slices"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/schema/plan"
	"github.com/sledtools/pikaci/schema/plan/draw"
)

// page is the data of the page; web/src/data.ts has the same. Times are in
// milliseconds from the run's start.
type page struct {
	Run     runData       `json:"run"`
	Lanes   []laneData    `json:"lanes"`
	Jobs    []jobData     `json:"jobs"`
	Nodes   []nodeData    `json:"nodes"`
	Phases  []phaseData   `json:"phases"`
	Setup   []lineData    `json:"setup,omitempty"`
	Path    []stepData    `json:"path"`
	Usual   *int64        `json:"usual_ms,omitempty"`
	Earlier []earlierData `json:"earlier"`
	Left    []leftData    `json:"left"`
	Graph   *draw.Picture `json:"graph,omitempty"`
	// Links says that artifacts are beside the page.
	Links bool `json:"links"`
}

type runData struct {
	ID          string               `json:"id"`
	State       record.State         `json:"state"`
	Verdict     event.Verdict        `json:"verdict,omitempty"`
	ExitCode    *int                 `json:"exit_code,omitempty"`
	Reason      string               `json:"reason,omitempty"`
	Interrupted string               `json:"interrupted,omitempty"`
	Resumed     int                  `json:"resumed,omitempty"`
	StartedAt   time.Time            `json:"started_at"`
	DurationMS  int64                `json:"ms"`
	PrepareOnly bool                 `json:"prepare_only,omitempty"`
	Pikaci      string               `json:"pikaci"`
	SourceRoot  string               `json:"source_root"`
	RunDir      string               `json:"run_dir"`
	PlanDigest  string               `json:"plan_digest"`
	Snapshot    *event.SnapshotTaken `json:"snapshot,omitempty"`
	Damaged     string               `json:"damaged,omitempty"`
}

type laneData struct {
	ID        string        `json:"id"`
	Title     string        `json:"title,omitempty"`
	Verdict   event.Verdict `json:"verdict,omitempty"`
	Chosen    bool          `json:"chosen"`
	Why       string        `json:"why,omitempty"`
	WaitedFor []string      `json:"waited_for,omitempty"`
}

type jobData struct {
	ID          string   `json:"id"`
	Lane        string   `json:"lane,omitempty"`
	Description string   `json:"description,omitempty"`
	Command     []string `json:"command,omitempty"`
	Host        bool     `json:"host,omitempty"`
	Needs       []string `json:"needs,omitempty"`
	TimeoutSecs int      `json:"timeout_secs,omitempty"`
	outcome
	DurationMS int64                `json:"ms"`
	Phases     []phaseData          `json:"phases,omitempty"`
	Artifacts  []event.Artifact     `json:"artifacts,omitempty"`
	Truncated  []event.LogTruncated `json:"truncated,omitempty"`
	Retried    []outcome            `json:"retried,omitempty"`
	// Last are the last lines of a job that failed.
	Last []lineData `json:"last,omitempty"`
}

// outcome is an event's, where nothing may be known yet.
type outcome struct {
	Verdict  event.Verdict `json:"verdict,omitempty"`
	Failure  event.Failure `json:"failure,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	ExitCode *int          `json:"exit_code,omitempty"`
	Signal   string        `json:"signal,omitempty"`
}

type nodeData struct {
	ID          string    `json:"id"`
	Kind        draw.Kind `json:"kind"`
	Description string    `json:"description,omitempty"`
	Job         string    `json:"job,omitempty"`
	DependsOn   []string  `json:"depends_on,omitempty"`
	outcome
	Attempts int         `json:"attempts,omitempty"`
	Start    *int64      `json:"start,omitempty"`
	End      *int64      `json:"end,omitempty"`
	Phases   []phaseData `json:"phases,omitempty"`
}

type phaseData struct {
	Phase  event.Phase `json:"phase"`
	Detail string      `json:"detail,omitempty"`
	Start  int64       `json:"start"`
	// End is missing of one that never ended.
	End   *int64 `json:"end,omitempty"`
	Error string `json:"error,omitempty"`
}

// stepData is a step of the critical path.
type stepData struct {
	Node       string            `json:"node,omitempty"`
	Job        string            `json:"job,omitempty"`
	What       string            `json:"what"`
	Start      int64             `json:"start"`
	DurationMS int64             `json:"ms"`
	UsualMS    *int64            `json:"usual_ms,omitempty"`
	Parts      []report.SlowPart `json:"parts,omitempty"`
}

type earlierData struct {
	ID         string                `json:"id"`
	StartedAt  time.Time             `json:"started_at"`
	Verdict    event.Verdict         `json:"verdict"`
	DurationMS int64                 `json:"ms"`
	Jobs       map[string]earlierJob `json:"jobs"`
}

type earlierJob struct {
	Verdict    event.Verdict `json:"verdict"`
	DurationMS int64         `json:"ms"`
}

type leftData struct {
	Name    string `json:"name"`
	Error   string `json:"error,omitempty"`
	Command string `json:"command,omitempty"`
}

// lineData is a line of a log.
type lineData struct {
	Stream event.Stream `json:"stream"`
	Text   string       `json:"text"`
}

// maxGraph is how many nodes are drawn at most: beyond it a picture says
// nothing and makes the page slow.
const maxGraph = 3000

func pageOf(r Run) (*page, error) {
	run := r.Past.Run
	p := &page{Lanes: []laneData{}, Jobs: []jobData{}, Nodes: []nodeData{}, Path: []stepData{}, Earlier: []earlierData{}, Left: []leftData{}, Links: r.Linked}
	p.Run = runData{ID: run.ID, State: r.Past.State, Verdict: run.Verdict, ExitCode: run.ExitCode, Reason: run.Reason,
		Interrupted: run.Interrupted, Resumed: run.Resumed, StartedAt: run.StartedAt, DurationMS: run.DurationMS,
		PrepareOnly: run.PrepareOnly, Pikaci: run.Pikaci, SourceRoot: run.SourceRoot, RunDir: run.RunDir,
		PlanDigest: run.PlanDigest, Snapshot: run.Snapshot, Damaged: r.Damaged}
	if run.FinishedAt == nil {
		p.Run.DurationMS = max(0, r.Past.Last.Sub(run.StartedAt).Milliseconds())
	}
	since := func(t time.Time) int64 { return t.Sub(run.StartedAt).Milliseconds() }
	p.Phases = phasesOf(run.Phases, since)
	if slices.ContainsFunc(run.Phases, func(ph record.PhaseRecord) bool { return ph.Phase == event.HostSetup && ph.Error != "" }) {
		p.Setup = endOf(r.Setup)
	}
	p.addLanes(run, r.Plan)
	p.addNodes(run, r.Plan, since)
	if err := p.addJobs(r, since); err != nil {
		return nil, err
	}
	for _, other := range r.Earlier {
		p.Earlier = append(p.Earlier, earlierOf(other))
	}
	for _, l := range run.Left {
		p.Left = append(p.Left, leftData{l.Name, l.Error, l.Command})
	}
	if r.Plan != nil {
		p.addPath(r, since)
		if len(r.Plan.Nodes) <= maxGraph {
			p.Graph = draw.New(r.Plan).Picture()
		}
	}
	return p, nil
}

func (p *page) addPath(r Run, since func(time.Time) int64) {
	slow := report.WhySlow(r.Past, r.Plan, r.Earlier, r.Past.Last)
	p.Usual = slow.UsualMS
	for _, s := range slow.Steps {
		p.Path = append(p.Path, stepData{s.Node, s.Job, s.What, since(s.StartedAt), s.DurationMS, s.UsualMS, s.Parts})
	}
}

// addLanes takes the run's lanes, and those that were not chosen.
func (p *page) addLanes(run record.Run, pl *plan.Plan) {
	at := make(map[string]int)
	for _, l := range run.Lanes {
		at[l.ID] = len(p.Lanes)
		p.Lanes = append(p.Lanes, laneData{ID: l.ID, Verdict: l.Verdict, Chosen: true, WaitedFor: l.WaitedFor})
	}
	if pl == nil {
		return
	}
	for _, l := range pl.Lanes {
		i, ran := at[l.ID]
		if !ran {
			i = len(p.Lanes)
			p.Lanes = append(p.Lanes, laneData{ID: l.ID})
		}
		p.Lanes[i].Title, p.Lanes[i].Why = l.Title, l.Reason
	}
}

func (p *page) addJobs(r Run, since func(time.Time) int64) error {
	planned := make(map[string]*plan.Job)
	commands := make(map[string][]string)
	if r.Plan != nil {
		for i := range r.Plan.Jobs {
			planned[r.Plan.Jobs[i].ID] = &r.Plan.Jobs[i]
		}
		for _, n := range r.Plan.Nodes {
			if c := n.GuestCommand; c != nil {
				commands[c.Job] = c.Command
			}
			if c := n.HostCommand; c != nil {
				commands[c.Job] = c.Command
			}
		}
	}
	retried := make(map[string][]outcome)
	for _, n := range r.Past.Run.Nodes {
		for _, o := range n.Retried {
			retried[n.ID] = append(retried[n.ID], outcomeOf(o))
		}
	}
	shown := 0
	for _, j := range r.Past.Run.Jobs {
		d := jobData{ID: j.ID, Lane: j.Lane, outcome: outcomeOf(j.Outcome), DurationMS: j.DurationMS, Phases: phasesOf(j.Phases, since),
			Artifacts: j.Artifacts, Truncated: j.Truncated, Command: commands[j.ID], Retried: retried[plan.ExecuteID(j.ID)]}
		if of := planned[j.ID]; of != nil {
			d.Lane, d.Description, d.Host, d.Needs, d.TimeoutSecs = of.Lane, of.Description, of.Host(), of.Needs, of.TimeoutSecs
		}
		ended := j.Verdict == event.Failed || j.Verdict == event.Cancelled || j.Verdict == "" && len(j.Phases) > 0
		if ended && shown < maxLast {
			shown++
			var err error
			if d.Last, err = lastLines(r, &j); err != nil {
				return err
			}
		}
		p.Jobs = append(p.Jobs, d)
	}
	return nil
}

// addNodes takes the plan's nodes; those of jobs that were left out have no
// record.
func (p *page) addNodes(run record.Run, pl *plan.Plan, since func(time.Time) int64) {
	if pl == nil {
		return
	}
	records := make(map[string]*record.NodeRecord)
	for i := range run.Nodes {
		records[run.Nodes[i].ID] = &run.Nodes[i]
	}
	for _, n := range draw.New(pl).Nodes {
		d := nodeData{ID: n.ID, Kind: n.Kind, Description: n.Label, Job: n.Job}
		if r := records[n.ID]; r != nil {
			d.outcome, d.Attempts, d.Phases = outcomeOf(r.Outcome), r.Attempts, phasesOf(r.Phases, since)
			d.Start, d.End = sinceMaybe(r.StartedAt, since), sinceMaybe(r.EndedAt, since)
		}
		p.Nodes = append(p.Nodes, d)
	}
	for i := range pl.Nodes {
		p.Nodes[i].DependsOn = pl.Nodes[i].DependsOn
	}
}

func sinceMaybe(t *time.Time, since func(time.Time) int64) *int64 {
	if t == nil {
		return nil
	}
	ms := since(*t)
	return &ms
}

func phasesOf(list []record.PhaseRecord, since func(time.Time) int64) []phaseData {
	out := []phaseData{}
	for _, ph := range list {
		out = append(out, phaseData{ph.Phase, ph.Detail, since(ph.StartedAt), sinceMaybe(ph.EndedAt, since), ph.Error})
	}
	return out
}

func outcomeOf(o event.Outcome) outcome {
	return outcome{o.Verdict, o.Failure, o.Reason, o.ExitCode, o.Signal}
}

func earlierOf(r record.Run) earlierData {
	e := earlierData{ID: r.ID, StartedAt: r.StartedAt, Verdict: r.Verdict, DurationMS: r.DurationMS, Jobs: map[string]earlierJob{}}
	for _, j := range r.Jobs {
		e.Jobs[j.ID] = earlierJob{j.Verdict, j.DurationMS}
	}
	return e
}
