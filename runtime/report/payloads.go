package report

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// Payload is what a run built, or meant to, of what, and where it was mounted.
type Payload struct {
	Node        string `json:"node"`
	Description string `json:"description,omitempty"`
	OutputName  string `json:"output_name"`
	Installable string `json:"installable"`
	// Snapshot is the content hash of what it was built from.
	Snapshot  string `json:"snapshot,omitempty"`
	StorePath string `json:"store_path,omitempty"`
	// Bytes is the output's size, and ClosureBytes that of all that it needs
	// to run, itself included.
	Bytes        int64      `json:"bytes,omitempty"`
	ClosureBytes int64      `json:"closure_bytes,omitempty"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
	// DurationMS is of the build.
	DurationMS int64 `json:"duration_ms"`
	event.Outcome
	Mounts []PayloadMount `json:"mounts"`
}

// PayloadMount is a place where a job's guest sees a payload, or a part of it.
type PayloadMount struct {
	Job  string `json:"job"`
	Role string `json:"role"`
	// Source is on the host; empty where nothing was built.
	Source    string `json:"source,omitempty"`
	GuestPath string `json:"guest_path"`
	// Link is a path in the run directory that leads to the output.
	Link string `json:"link"`
}

// Payloads are those of the jobs that the run took, in the plan's order.
func Payloads(past record.Past, p *plan.Plan) []Payload {
	list := []Payload{}
	for _, n := range p.Nodes {
		if n.NixBuild == nil || !slices.ContainsFunc(past.Run.Jobs, func(j record.JobRecord) bool { return slices.Contains(n.Jobs, j.ID) }) {
			continue
		}
		b := Payload{Node: n.ID, Description: n.Description, OutputName: n.NixBuild.OutputName, Installable: n.NixBuild.Installable}
		if past.Run.Snapshot != nil {
			b.Snapshot = past.Run.Snapshot.ContentHash
		}
		b.built(past)
		b.Mounts = mountsOf(past, p, &b)
		list = append(list, b)
	}
	return list
}

// built takes what the run says of the node.
func (b *Payload) built(past record.Past) {
	for _, o := range past.Outputs.Outputs {
		if o.Node == b.Node {
			b.StorePath, b.Bytes, b.ClosureBytes = o.StorePath, o.Bytes, o.ClosureBytes
		}
	}
	for _, n := range past.Run.Nodes {
		if n.ID != b.Node {
			continue
		}
		b.StartedAt, b.Outcome = n.StartedAt, n.Outcome
		for _, ph := range n.Phases {
			if ph.Phase == event.Build {
				b.DurationMS += ph.DurationMS
			}
		}
	}
}

// mountsOf are a payload's mounts: as its manifest says, or the whole of it.
func mountsOf(past record.Past, p *plan.Plan, b *Payload) []PayloadMount {
	mounts := []PayloadMount{}
	var manifest *event.Manifest
	for _, o := range past.Outputs.Outputs {
		if o.Node == b.Node {
			manifest = o.Manifest
		}
	}
	for _, j := range p.Jobs {
		if !slices.ContainsFunc(past.Run.Jobs, func(r record.JobRecord) bool { return r.ID == j.ID }) {
			continue
		}
		for _, s := range j.StagedPayloads {
			if s.PrepareNodeID != b.Node {
				continue
			}
			m := PayloadMount{Job: j.ID, Role: s.Role, Source: b.StorePath, GuestPath: s.GuestMountPath, Link: s.LocalMountPath}
			if manifest == nil || len(manifest.Mounts) == 0 {
				mounts = append(mounts, m)
				continue
			}
			for _, part := range manifest.Mounts {
				m.Source, m.GuestPath = path.Join(b.StorePath, part.RelativePath), part.GuestPath
				mounts = append(mounts, m)
			}
		}
	}
	return mounts
}

// WritePayloads writes them for a person.
func WritePayloads(w io.Writer, list []Payload) error {
	var b strings.Builder
	for i, p := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		how := "not begun"
		switch {
		case p.Verdict != "" && p.StartedAt != nil:
			how = fmt.Sprintf("%s in %s%s", p.Verdict, seconds(p.DurationMS), colon(why(p.Outcome)))
		case p.Verdict != "":
			how = string(p.Verdict) + colon(why(p.Outcome))
		case p.StartedAt != nil:
			how = "begun, not ended"
		}
		fmt.Fprintf(&b, "%s: %s\n", oneLine(p.Node), how)
		fmt.Fprintf(&b, "  of       %s\n", oneLine(p.Installable))
		if p.Snapshot != "" {
			fmt.Fprintf(&b, "  source   snapshot %s\n", oneLine(p.Snapshot))
		}
		if p.StorePath != "" {
			fmt.Fprintf(&b, "  output   %s\n", oneLine(p.StorePath))
		}
		if p.Bytes > 0 {
			fmt.Fprintf(&b, "  size     %s", size(p.Bytes))
			if p.ClosureBytes > p.Bytes {
				fmt.Fprintf(&b, ", with all that it needs %s", size(p.ClosureBytes))
			}
			b.WriteByte('\n')
		}
		for _, m := range p.Mounts {
			verb := "mounted"
			if p.StorePath == "" {
				verb = "for"
			}
			fmt.Fprintf(&b, "  %-8s %s: %s", verb, oneLine(m.Job), oneLine(m.GuestPath))
			if part := strings.TrimPrefix(m.Source, p.StorePath); part != "" {
				fmt.Fprintf(&b, " (its %s)", oneLine(strings.TrimPrefix(part, "/")))
			}
			b.WriteByte('\n')
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
