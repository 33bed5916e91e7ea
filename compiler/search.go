package compiler

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// enough is how long a piece must have been evaluated to be the one that is
// named.
const enough = 100 * time.Millisecond

// search finds out which piece of the lane files takes so long. The evaluator
// does not tell what it is at, so each piece is evaluated by itself, and that
// which does not end, or took longest, is it.
type search struct {
	// whole is what is told where no piece is known.
	whole   Diagnostic
	mu      sync.Mutex
	stopped bool
	// current is at work since then; longest took most of those that ended.
	current, longest Diagnostic
	since            time.Time
	took             time.Duration
	// fatal is that at which the evaluator panicked; ended closes when the
	// search is over.
	fatal Diagnostic
	ended chan struct{}
}

func newSearch(whole Diagnostic) *search { return &search{whole: whole, ended: make(chan struct{})} }

// run searches until it is stopped, has tried every piece, or panics: what
// makes the evaluator panic here makes it panic there.
func (f *search) run(search func(*search)) {
	defer close(f.ended)
	defer func() {
		if recover() != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.fatal = f.current
		}
	}()
	if search != nil {
		search(f)
	}
	f.next(Diagnostic{})
}

// panicked is the error of an evaluator that panicked, at the piece where it
// does so alone; the search has that long to find it.
func (f *search) panicked(p *panicked, limit time.Duration) error {
	select {
	case <-f.ended:
	case <-time.After(limit):
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.whole
	if f.fatal.Message != "" {
		d = f.fatal
	}
	d.Message += fmt.Sprintf(" makes CUE fail: %v", p.value)
	d.Hint = "a mistake of CUE's own: write this another way"
	return Diagnostics{d}
}

// next says which piece is tried from now on; false: give up.
func (f *search) next(d Diagnostic) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if took := time.Since(f.since); f.current.Message != "" && took > f.took {
		f.longest, f.took = f.current, took
	}
	f.current, f.since = d, time.Now()
	return !f.stopped
}

func (f *search) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
}

// over is the error of a spent budget, at the piece that spent it if it is
// known.
func (f *search) over(what, hint string) error {
	f.next(Diagnostic{})
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.whole
	if f.took >= enough {
		d = f.longest
	}
	d.Message += what
	d.Hint = hint
	return Diagnostics{d}
}

// pieceByPiece evaluates every piece of the lane files with what it refers to,
// those that need least first.
func (s *source) pieceByPiece(f *search) {
	// A tree of its own: the evaluation goes on beside it.
	t, rel, err := openTree(s.tree.disk(s.dir))
	if err != nil {
		return
	}
	files, err := schemaFiles()
	if err != nil {
		return
	}
	t.layOver(s.schemaDirs[0], files)
	own := &source{tree: t, dir: rel, shown: s.shown, module: s.module, schemaDirs: s.schemaDirs}
	pieces, ok := own.pieces(f)
	if !ok {
		return
	}
	if !f.next(Diagnostic{}) {
		return
	}
	worked, last := 0, 0
	for _, group := range groupsOf(pieces) {
		if worked > manyPieces && len(group) > largeGroup && len(group) < last+last/8 {
			continue
		}
		if !f.next(group[0].told) {
			return
		}
		own.evaluatePieces(group)
		worked, last = worked+len(group), len(group)
	}
}

// In a chain of fields that refer to one another each group has a piece more
// than the one before, and the last would never be come to: after manyPieces,
// groups of over largeGroup that are hardly larger are passed over.
const (
	manyPieces = 2000
	largeGroup = 32
)

// mostPieces bounds what all groups hold together.
const mostPieces = 1 << 17

// groupsOf are the pieces, each with what it refers to, those that need least
// first.
func groupsOf(pieces []piece) [][]*piece {
	byName := map[string][]*piece{}
	for i := range pieces {
		byName[pieces[i].name] = append(byName[pieces[i].name], &pieces[i])
	}
	var groups [][]*piece
	total := 0
	for i := range pieces {
		if pieces[i].plain {
			continue
		}
		group := withNeeds(&pieces[i], byName)
		groups = append(groups, group)
		if total += len(group); total > mostPieces {
			break
		}
	}
	slices.SortStableFunc(groups, func(a, b []*piece) int { return cmp.Compare(len(a), len(b)) })
	// What is bad in company alone is left to the files as a whole.
	return append(groups, byFile(pieces, byName)...)
}

// byFile are the pieces of each file, with what they refer to.
func byFile(pieces []piece, byName map[string][]*piece) [][]*piece {
	var out [][]*piece
	for start := 0; start < len(pieces); {
		file := pieces[start].file
		whole := piece{told: Diagnostic{Position: Position{File: pieces[start].told.Position.File}, Message: "evaluating the file"}}
		group := []*piece{&whole}
		end := start
		for ; end < len(pieces) && pieces[end].file == file; end++ {
			group = append(group, &pieces[end])
			whole.needs = append(whole.needs, pieces[end].needs...)
		}
		for _, p := range withNeeds(&whole, byName) {
			if p != &whole && p.file != file {
				group = append(group, p)
			}
		}
		out = append(out, group)
		start = end
	}
	return out
}

// withNeeds is a piece and all that it refers to, directly or not.
func withNeeds(first *piece, byName map[string][]*piece) []*piece {
	out := []*piece{first}
	in, seen := map[*piece]bool{first: true}, map[string]bool{}
	for i := 0; i < len(out); i++ {
		for _, name := range out[i].needs {
			if seen[name] {
				continue
			}
			seen[name] = true
			for _, other := range byName[name] {
				if !in[other] {
					in[other] = true
					out = append(out, other)
				}
			}
		}
	}
	return out
}
