package compiler

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sledtools/pikaci/schema/plan"
)

// Catalogue is the lanes of one folder, evaluated and checked: plain Go data.
type Catalogue struct {
	// lanes are sorted by id: the order of files means nothing.
	lanes   []laneFile
	roles   []role
	sources []plan.Source
	// warnings are what was found odd; places say where it was written.
	warnings Diagnostics
	places   *places
	// looks are what was seen of the disk.
	looks *looks
}

// Lane is what a list of lanes shows of one.
type Lane struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// TargetID is empty where the lane has none.
	TargetID         string       `json:"target_id,omitempty"`
	Description      string       `json:"description"`
	Trigger          plan.Trigger `json:"trigger"`
	ConcurrencyGroup string       `json:"concurrency_group,omitempty"`
	Jobs             []JobInfo    `json:"jobs"`
}

// JobInfo is what a list of lanes shows of a job.
type JobInfo struct {
	ID          string `json:"id"`
	Description string `json:"description"`
}

// Load reads, evaluates and checks the lane package in dir. The error is
// Diagnostics where the lane files are not valid.
func Load(dir string) (*Catalogue, error) {
	return LoadWithin(dir, DefaultBudget())
}

// LoadWithin is Load with another budget of time and memory.
func LoadWithin(dir string, b Budget) (*Catalogue, error) {
	c, _, err := LoadLooking(dir, b)
	return c, err
}

// LoadLooking is LoadWithin that also gives the names of all files and folders
// that the answer hangs on, be it an error: those that were read, and those that
// would have been if they were there.
func LoadLooking(dir string, b Budget) (*Catalogue, []string, error) {
	s, err := openSource(dir)
	c, read := new(Catalogue), nowhere()
	if s != nil {
		read = s.tree
	}
	if err == nil {
		err = b.run(laneFiles(dir), func() error { return c.fill(s) }, s.pieceByPiece)
	}
	var found Diagnostics
	switch {
	case errors.As(err, &found):
		// To quote a line is to read a file.
		found = read.quote(found)
		return nil, read.lookedAt(dir), found
	case err != nil:
		return nil, read.lookedAt(dir), err
	}
	return c, read.lookedAt(dir), nil
}

// fill evaluates the lane files and checks what they say.
func (c *Catalogue) fill(s *source) error {
	lanes, roles, p, err := s.evaluate()
	if err != nil {
		return err
	}
	return c.take(s, lanes, roles, p)
}

// take checks what the lane files say.
func (c *Catalogue) take(s *source, lanes []laneFile, roles []role, p *places) (err error) {
	slices.SortFunc(lanes, func(a, b laneFile) int { return strings.Compare(a.id, b.id) })
	c.lanes, c.roles = lanes, roles
	found, warnings := check(c, p, s.shown)
	if len(found) > 0 {
		return found
	}
	c.warnings, c.places = s.tree.quote(warnings), p
	c.looks = s.tree.looks
	c.sources, err = s.tree.sources()
	return err
}

// Lanes are all lanes, sorted by id.
func (c *Catalogue) Lanes() []Lane {
	out := make([]Lane, len(c.lanes))
	for i := range c.lanes {
		l := &c.lanes[i]
		out[i] = Lane{
			ID: l.id, Title: l.title, TargetID: l.targetID, Description: l.description,
			Trigger: l.trigger, ConcurrencyGroup: l.concurrencyGroup, Jobs: []JobInfo{},
		}
		for _, j := range l.jobs {
			out[i].Jobs = append(out[i].Jobs, JobInfo{j.id, j.description})
		}
	}
	return out
}

// Compile gives the sealed and checked plan of a selection. The error is
// *UnknownNameError where a name that was asked for is not there.
func (c *Catalogue) Compile(sel Select) (*plan.Plan, error) {
	p, _, err := c.CompileAndEncode(sel)
	return p, err
}

// CompileAndEncode is Compile with the plan's encoding, which making its digest
// gives.
func (c *Catalogue) CompileAndEncode(sel Select) (*plan.Plan, []byte, error) {
	chosen, err := c.selectLanes(sel)
	if err != nil {
		return nil, nil, err
	}
	p := c.assemble(chosen)
	bad := make(chan error, 1)
	go func() { bad <- plan.Check(p) }()
	b, err := plan.SealAndEncode(p)
	if err := <-bad; err != nil {
		return nil, nil, fmt.Errorf("BUG: lane files that passed the checks gave a bad plan: %w", err)
	}
	return p, b, err
}

// assemble makes the plan, unsealed.
func (c *Catalogue) assemble(s *selection) *plan.Plan {
	p, g := c.wire(s)
	if len(g.conflicts) > 0 {
		panic("BUG: two nodes of one id got past the catalogue's checks: " + g.conflicts[0].id)
	}
	return p
}

// wire makes the plan's lanes, jobs and nodes. It works on lane files that
// were not checked too: the checks look at what it made.
func (c *Catalogue) wire(s *selection) (*plan.Plan, *graph) {
	g := newGraph()
	p := &plan.Plan{
		Sources:   c.sources,
		Selection: s.asked,
		Snapshot:  plan.Snapshot{Exclude: c.exclude(s)},
		Lanes:     []plan.Lane{},
		Jobs:      []plan.Job{},
	}
	for i := range c.lanes {
		l := &c.lanes[i]
		choice := s.choices[i]
		lane := plan.Lane{
			ID: l.id, Title: l.title, TargetID: l.targetID, Description: l.description,
			Trigger: l.trigger, ConcurrencyGroup: l.concurrencyGroup, TimeoutSecs: l.timeoutSecs, HostSetup: l.hostSetup,
			Chosen: choice.chosen, Reason: choice.reason, Jobs: []string{},
		}
		if choice.chosen {
			jobs := planJobs(l, c.roles, s.takes(l))
			lane.Partial = len(jobs) < len(l.jobs)
			for _, j := range jobs {
				lane.Jobs = append(lane.Jobs, j.job.ID)
				p.Jobs = append(p.Jobs, j.job)
			}
			for _, j := range ordered(jobs) {
				g.add(j)
			}
		}
		p.Lanes = append(p.Lanes, lane)
	}
	p.Nodes = g.nodes
	place := make(map[string]int, len(p.Jobs))
	for i := range p.Jobs {
		place[p.Jobs[i].ID] = i
	}
	for i := range p.Nodes {
		// Nodes are made in the order of needs, jobs are listed as authored.
		slices.SortFunc(p.Nodes[i].Jobs, func(a, b string) int { return place[a] - place[b] })
	}
	return p, g
}

// exclude are the names that every chosen lane does without: there is one
// snapshot for a run.
func (c *Catalogue) exclude(s *selection) []string {
	out := []string{}
	first := true
	for i := range c.lanes {
		switch {
		case !s.choices[i].chosen:
		case first:
			first = false
			out = append(out, c.lanes[i].snapshotExclude...)
		default:
			out = slices.DeleteFunc(out, func(name string) bool {
				return !slices.Contains(c.lanes[i].snapshotExclude, name)
			})
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// problems are the rules of plan.Check that a plan breaks.
func problems(err error) []*plan.Problem {
	var out []*plan.Problem
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			var p *plan.Problem
			if errors.As(e, &p) {
				out = append(out, p)
			}
		}
	}
	return out
}
