package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/runtime/record"
)

// Keep keeps the passes of a run whose records are on disk. It waits for no
// disk: a pointer that a loss of power spoils is none.
func Keep(stateRoot string, run *record.Run) error {
	var errs []error
	for i := range run.Jobs {
		j := &run.Jobs[i]
		if !may(run, j) {
			continue
		}
		b, err := json.Marshal(pointer{SchemaVersion: pointerVersion, Run: run.ID, Job: j.ID})
		if err == nil {
			err = os.MkdirAll(filepath.Join(Dir(stateRoot), "last"), 0o755)
		}
		if err == nil {
			err = errors.Join(atomicfile.Write(keyPath(stateRoot, j.Result.Key), b, 0o644), atomicfile.Write(lastPath(stateRoot, j.ID), b, 0o644))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("keep the pass of job %s: %w", j.ID, err))
		}
	}
	return errors.Join(errs...)
}
