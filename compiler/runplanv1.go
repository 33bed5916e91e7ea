package compiler

import (
	"errors"

	"github.com/sledtools/pikaci/schema/plan"
)

// RunPlanV1 is what the older format says of a run and a plan does not.
type RunPlanV1 struct {
	// RunDir is the run's directory, written in front of every mount path.
	RunDir string
	// RunID is like 20260326T013040Z-9247c703.
	RunID string
	// CreatedAt is a time as RFC 3339 writes it.
	CreatedAt string
}

// WriteRunPlanV1 writes the older plan format, schema version 1, of a plan in
// which exactly one lane is chosen.
func WriteRunPlanV1(p *plan.Plan, o RunPlanV1) ([]byte, error) {
	return nil, errors.New("not written yet")
}
