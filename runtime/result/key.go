package result

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/event"
)

// format is part of every key. It rises when the same parts come to mean
// another run of a command.
const format = "1"

// Key is the digest of all parts together.
func Key(parts []event.Part) string { return digest(parts) }

func digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: a part that JSON can't hold: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// parts are what the job's result hangs on; known is false as long as a payload
// of it is not built. The time limit is none of them: a pass that took less than
// it would have passed with it. Nor is the run's id, which every command gets.
func (s *Store) parts(ctx context.Context, j *runtime.JobContext, command []string) (parts []event.Part, known bool, err error) {
	place := s.Guests
	if j.Job.Host() {
		place = s.Hosts
	}
	own, err := place.Parts(ctx, j)
	if err != nil {
		return nil, false, err
	}
	source, err := source(ctx, j)
	if err != nil {
		return nil, false, err
	}
	payloads, known := s.payloads(j)
	return slices.Concat([]event.Part{
		{Name: "format", Value: format},
		{Name: "command", Value: digest(command)},
		{Name: "env", Value: digest([]any{j.Lane.ID, j.Job.ID, j.Job.Env})},
		{Name: "user", Value: strconv.Itoa(j.Job.User)},
		{Name: "working_dir", Value: j.Job.WorkingDir},
		{Name: "writable_workspace", Value: strconv.FormatBool(j.Job.WritableWorkspace)},
		{Name: "artifacts", Value: digest(j.Job.Artifacts)},
		source,
	}, own, payloads), known, nil
}

// source is what the job sees of the snapshot.
func source(ctx context.Context, j *runtime.JobContext) (event.Part, error) {
	name := "snapshot"
	if j.Job.Reads != nil {
		name = event.PartReads
	}
	hash, err := j.WorkspaceHash(ctx)
	return event.Part{Name: name, Value: hash}, err
}

// payloads are the job's built outputs, and where its guest sees them.
func (s *Store) payloads(j *runtime.JobContext) ([]event.Part, bool) {
	var parts []event.Part
	for _, p := range j.Job.StagedPayloads {
		built, err := os.Readlink(filepath.Join(j.RunContext.Dir, p.LocalMountPath))
		if err != nil {
			var known bool
			if built, known = s.Builds.Known(j.RunContext, p.Installable); !known {
				return nil, false
			}
		}
		parts = append(parts, event.Part{Name: "payload " + p.Role, Value: fmt.Sprintf("%s at %s", built, p.GuestMountPath)})
	}
	return parts, true
}

// differing are the names of the parts that two jobs do not have the same, in
// the order of a.
func differing(a, b []event.Part) []string {
	names := []string{}
	for _, part := range a {
		if !slices.Contains(b, part) {
			names = append(names, part.Name)
		}
	}
	for _, part := range b {
		if !slices.ContainsFunc(a, func(p event.Part) bool { return p.Name == part.Name }) {
			names = append(names, part.Name)
		}
	}
	return names
}
