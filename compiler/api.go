package compiler

import (
	"fmt"

	"github.com/sledtools/pikaci/schema/plan"
)

// Position is a place in a file.
type Position struct {
	// File is relative to the working directory where that is shorter.
	File string `json:"file"`
	// Line and Column count from 1; 0 where only the file is known.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// String gives file:line:column, leaving out what is not known.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Severity says how bad a diagnostic is.
type Severity string

// A mistake is an error and there is no plan; a warning changes nothing.
const (
	Mistake Severity = "error"
	Warning Severity = "warning"
)

// Diagnostic is one mistake in the lane files. Position, path and message are
// held apart; printing joins them.
type Diagnostic struct {
	// Severity is empty for a mistake.
	Severity Severity `json:"severity,omitempty"`
	// Position is in the file that must be edited.
	Position Position `json:"position"`
	// Path is the field's path, like lanes.fixture.jobs.pikahut-clippy.timeout_secs.
	Path string `json:"path,omitempty"`
	// Message is one sentence in the lane's terms, lower case, no period.
	Message string `json:"message"`
	// Hint names the fix; may be empty.
	Hint string `json:"hint,omitempty"`
	// Others are other places involved.
	Others []Position `json:"others,omitempty"`
	// Source is the line that Position points at; empty where there is none,
	// or where it may hold a secret.
	Source string `json:"source,omitempty"`

	// secret keeps the line out of Source.
	secret bool
}

// Diagnostics are all mistakes of a stage, in source order. It is the error
// that Load and Compile return for lane files that are not valid.
type Diagnostics []Diagnostic

// Error gives the first one and a count of the rest.
func (d Diagnostics) Error() string {
	if len(d) == 0 {
		return "no diagnostics"
	}
	s := d[0].Message
	if d[0].Position.File != "" {
		s = d[0].Position.String() + ": " + s
	}
	if len(d) > 1 {
		s += fmt.Sprintf(" (and %d more)", len(d)-1)
	}
	return s
}

// UnknownNameError is a lane, target or job that was asked for and is not
// there.
type UnknownNameError struct {
	// Kind is "lane" (id, title or target) or "job".
	Kind string
	Name string
	// Nearest is the known name that is most like it; may be empty.
	Nearest string
	// Owner is the lane that holds the job, where that is none of those that
	// were asked for.
	Owner string
	// none says that those have no such job, like "lane fixture has no".
	none string
}

// Error says what is unknown; the nearest name is left to a hint.
func (e *UnknownNameError) Error() string {
	switch {
	case e.Owner != "":
		return fmt.Sprintf("%s job %q: it is a job of lane %s", e.none, e.Name, e.Owner)
	case e.none != "":
		return fmt.Sprintf("%s job %q", e.none, e.Name)
	}
	return fmt.Sprintf("no %s is named %q", e.Kind, e.Name)
}

// Select is what to take of the catalogue.
type Select struct {
	// Lanes are ids, titles or target ids; empty: all lanes of the trigger.
	Lanes []string
	// Job takes one job, and those that it needs; empty: all.
	Job string
	// Trigger is branch if empty.
	Trigger plan.Trigger
	// ByPaths chooses those branch lanes whose globs match a changed path.
	ByPaths bool
	// ChangedPaths are relative to the repository's root, with slashes.
	ChangedPaths []string
}
