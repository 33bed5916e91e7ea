package compiler

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
)

const (
	// partSize is how many lanes are evaluated at a time: enough that the
	// schema, which every part compiles for itself, does not count.
	partSize = 50
	// fewLanes are evaluated as fast at once.
	fewLanes = 4
	// dearCommon is when evaluating what all lanes share is too dear to be
	// done for each part.
	dearCommon = 20 * time.Millisecond
	// maxWorkers bounds the memory, which each needs for itself.
	maxWorkers = 8
)

// outcome is what came of evaluating a package in parts.
type outcome int

const (
	// notTried means that the syntax was left as it was.
	notTried outcome = iota
	// wasWrong means that something is wrong; the whole package tells what.
	wasWrong
	wasRight
)

// parts evaluates the lanes of a package, a few at a time.
type parts struct {
	*source
	apart  *split
	places *places
	// ids are the lanes of each part, found what came of them.
	ids   [][]string
	found [][]laneFile
	roles []role
	next  atomic.Int32
	// wrong is set once any part is.
	wrong atomic.Bool
}

// evaluateParts evaluates a package in parts, if it is worth it and can be done.
func (s *source) evaluateParts(files []*ast.File) ([]laneFile, []role, *places, outcome) {
	e := &parts{source: s}
	bound := make(chan bool)
	go func() {
		e.places = readPlaces(s.tree, files)
		bound <- len(s.binding(e.places)) == 0
	}()
	e.apart = takeApart(files)
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	if !<-bound || e.apart == nil || workers == 1 && len(e.apart.ids) < 2*partSize || len(e.apart.ids) < fewLanes {
		return nil, nil, nil, notTried
	}
	s.tree.loaded = true
	if err := e.readSchema(); err != nil {
		return nil, nil, nil, wasWrong
	}
	e.cut(workers)
	var all sync.WaitGroup
	for range workers {
		all.Go(e.work)
	}
	all.Wait()
	if e.wrong.Load() {
		return nil, nil, nil, wasWrong
	}
	return slices.Concat(e.found...), e.roles, e.places, wasRight
}

// readSchema reads what all lanes are bound to, for the record of what was read
// and to find files that add to it: lanes may be evaluated without.
func (e *parts) readSchema() error {
	load := e.packages()
	files, err := e.apart.part(load, true, func(string) bool { return false })
	if err != nil {
		return err
	}
	inst, errs := load.load(e.dir, files)
	if len(errs) > 0 {
		return errs[0]
	}
	if found := e.strayedSchema(inst); len(found) > 0 {
		return found
	}
	return nil
}

// cut decides how large the parts are. Small packages have one for each worker;
// large ones have small parts, if that is cheap which is done for each: the
// schema and what all lanes share.
func (e *parts) cut(workers int) {
	size := (len(e.apart.ids) + workers - 1) / workers
	if size > partSize {
		start := time.Now()
		_, err := e.build(e.packages(), func(string) bool { return false })
		if err == nil && time.Since(start) < dearCommon {
			size = partSize
		}
	}
	e.ids = slices.Collect(slices.Chunk(e.apart.ids, size))
	e.found = make([][]laneFile, len(e.ids))
}

// work evaluates one part after the other until all are done or one is wrong.
func (e *parts) work() {
	defer func() {
		if recover() != nil {
			// The whole package panics as well, where it is caught.
			e.wrong.Store(true)
		}
	}()
	load := e.packages()
	for !e.wrong.Load() {
		i := int(e.next.Add(1)) - 1
		if i >= len(e.ids) {
			return
		}
		if err := e.part(load, i); err != nil {
			e.wrong.Store(true)
		}
	}
}

func (e *parts) part(load *packages, i int) error {
	mine := make(map[string]bool, len(e.ids[i]))
	for _, id := range e.ids[i] {
		mine[id] = true
	}
	v, err := e.build(load, func(id string) bool { return mine[id] })
	if err != nil {
		return err
	}
	if err := v.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return err
	}
	read, err := dataOf(v)
	if err != nil {
		return err
	}
	if e.apart.bare && !lawful(read) {
		return errors.New("the schema refuses it")
	}
	lanes, roles, err := decodeLanes(read, e.places)
	if err == nil && len(lanes) != len(mine) {
		err = errors.New("BUG: a part has other lanes than its own")
	}
	e.found[i] = lanes
	if i == 0 {
		e.roles = roles
	}
	return err
}

func (e *parts) build(load *packages, take func(id string) bool) (cue.Value, error) {
	files, err := e.apart.part(load, !e.apart.bare, take)
	if err != nil {
		return cue.Value{}, err
	}
	inst, errs := load.load(e.dir, files)
	if len(errs) > 0 {
		return cue.Value{}, errs[0]
	}
	return newContext().BuildInstance(inst), nil
}
