package compiler

import (
	"errors"

	"github.com/sledtools/pikaci/schema/plan"
)

// Catalogue is the lanes of one folder, evaluated and checked: plain Go data,
// with the places in the lane files held in a table beside it.
type Catalogue struct{}

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
func Load(dir string) (*Catalogue, error) { return nil, errors.New("not written yet") }

// Lanes are all lanes, sorted by id.
func (c *Catalogue) Lanes() []Lane { return nil }

// Compile gives the sealed and checked plan of a selection. The error is
// Diagnostics or *UnknownNameError.
func (c *Catalogue) Compile(sel Select) (*plan.Plan, error) {
	return nil, errors.New("not written yet")
}
