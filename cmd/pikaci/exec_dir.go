package main

import (
	"errors"
	"io/fs"
	goruntime "runtime"
	"slices"
	"sync"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
)

// ownDir makes the run's directory, or takes that of the resumed run, and owns
// it.
func (x *execution) ownDir() (*record.Dir, *record.Lock, error) {
	if x.resumed != nil {
		return x.resumed.dir, x.resumed.lock, x.resumed.tidy(x.stateRoot, x.plan)
	}
	dir, err := x.makeDir()
	if err != nil {
		return nil, nil, err
	}
	lock, err := dir.Lock()
	if err != nil {
		return nil, nil, err
	}
	return dir, lock, nil
}

// openJournal writes the plan and opens a new journal, or opens the resumed
// run's to write on.
func (x *execution) openJournal(dir *record.Dir, watch func(event.Event)) (j *record.Journal, torn int64, err error) {
	if x.resumed != nil {
		return x.resumed.lock.Reopen(watch)
	}
	// Both are synced: together they take as long as one.
	var planErr error
	var writing sync.WaitGroup
	writing.Go(func() { planErr = dir.Write("plan.json", x.planText) })
	j, err = dir.OpenJournal(watch)
	writing.Wait()
	if planErr != nil && j != nil {
		j.Close()
	}
	return j, 0, errors.Join(planErr, err)
}

func (x *execution) makeDir() (*record.Dir, error) {
	id := x.flags.runID
	if id == "" {
		id = record.NewID(time.Now())
	}
	dir, err := record.Create(x.stateRoot, id)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, usage("leave out --run-id for a new one", "%v", err)
	case err != nil:
		return nil, err
	}
	return dir, nil
}

// writeRecords writes all records that are folds of the events.
func writeRecords(dir *record.Dir, r record.Run, outputs record.PreparedOutputs) error {
	writes := []func() error{
		// Each is synced: together they take as long as one.
		func() error { return dir.WriteJSON("run.json", r) },
		func() error { return dir.WriteJSON("prepared-outputs.json", outputs) },
	}
	for jobs := range slices.Chunk(r.Jobs, len(r.Jobs)/goruntime.GOMAXPROCS(0)+1) {
		writes = append(writes, func() error { return writeResults(dir, jobs) })
	}
	return together(writes...)
}

// together makes calls at one time, and joins their errors in their order.
func together(calls ...func() error) error {
	errs := make([]error, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		all.Go(func() { errs[i] = call() })
	}
	all.Wait()
	return errors.Join(errs...)
}

// writeResults writes the records of the jobs that ended.
func writeResults(dir *record.Dir, jobs []record.JobRecord) error {
	var errs []error
	for _, j := range jobs {
		if j.Verdict != "" {
			errs = append(errs, dir.WriteResult(j))
		}
	}
	return errors.Join(errs...)
}
