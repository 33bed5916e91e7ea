package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/clipperhouse/displaywidth"

	"github.com/sledtools/pikaci/runtime/event"
)

// barCells is how wide a bar is, and barFrom the narrowest terminal with bars.
const (
	barCells = 12
	barFrom  = 60
)

// Frame is what a terminal of that size shows of the run: no line is as wide
// as the terminal, and a row stays free below, so that nothing wraps or scrolls.
func (b *Board) Frame(now time.Time, columns, rows int) []string {
	if columns < 2 || rows < 2 {
		return nil
	}
	h := b.Heartbeat(now)
	lines := []string{b.headline(h)}
	for _, r := range h.Running {
		lines = append(lines, runningLine(r, columns))
	}
	for _, w := range h.Waiting {
		lines = append(lines, "wait  "+w.Job+" for "+WaitsFor(w))
	}
	if room := rows - 1; len(lines) > room {
		hidden := len(lines) - room + 1
		lines = append(lines[:max(0, room-1)], fmt.Sprintf("… and %d more", hidden))
		if room == 1 {
			lines = []string{b.headline(h)}
		}
	}
	for i, line := range lines {
		lines[i] = displaywidth.TruncateString(oneLine(line), columns-1, "…")
	}
	return lines
}

func (b *Board) headline(h event.Heartbeat) string {
	s := clock(h.ElapsedMS)
	if b.stopping != "" {
		s += "  stopping: " + b.stopping
	}
	if b.prepare {
		return s + "  preparing"
	}
	if h.Slots > 0 {
		s += fmt.Sprintf("  %d/%d slots", h.SlotsUsed, h.Slots)
	}
	if h.CPUs > 0 {
		s += fmt.Sprintf("  %d/%d cpus", h.CPUsUsed, h.CPUs)
	}
	s += fmt.Sprintf("  %d/%d jobs", len(b.ended), b.wanted)
	if n := b.verdicts[event.Failed]; n > 0 {
		s += fmt.Sprintf("  %d failed", n)
	}
	return s
}

func runningLine(r event.Running, columns int) string {
	kind, name := "run   ", r.Job
	switch {
	case r.Node == "":
		kind, name = "run   ", strings.ReplaceAll(string(r.Phase), "_", " ")
	case r.Job == "":
		kind, name = "build ", r.Node
	}
	// The time stands first, so that a narrow terminal shows it.
	s := kind + clock(r.ElapsedMS) + "  " + name
	if r.Job != "" && r.Phase != "" {
		s += "  " + string(r.Phase)
	}
	if r.Bytes > 0 {
		if columns >= barFrom && r.TotalBytes > 0 {
			s += "  " + progressBar(r.Bytes, r.TotalBytes)
		}
		return s + "  " + copied(r)
	}
	if r.UsualMS == 0 {
		return s
	}
	if columns >= barFrom {
		s += "  " + progressBar(r.ElapsedMS, r.UsualMS)
	}
	if left := r.UsualMS - r.ElapsedMS; left >= 0 {
		return s + "  about " + clock(left) + " left"
	}
	return s + "  usually " + clock(r.UsualMS)
}

// copied is how much of how much.
func copied(r event.Running) string {
	if r.TotalBytes == 0 {
		return size(r.Bytes)
	}
	return size(r.Bytes) + " of " + size(r.TotalBytes)
}

// progressBar is how much of all bytes is copied, or of the usual time over: full
// only when it is.
func progressBar(done, all int64) string {
	full := int(min(barCells, done*barCells/max(all, 1)))
	return "[" + strings.Repeat("█", full) + strings.Repeat("░", barCells-full) + "]"
}

// WaitsFor is what a job waits for, in words.
func WaitsFor(w event.Waiting) string {
	switch w.For {
	case event.ForGroup:
		return "its concurrency group, which " + w.Name + " has"
	case event.ForCache:
		return "what its lane keeps, which " + w.Name + " has"
	case event.ForPayload:
		return "payload " + w.Name
	case event.ForJob:
		return "job " + w.Name
	case event.ForInstance:
		return "its instance"
	case event.ForSnapshot:
		return "the snapshot"
	}
	return "a slot"
}

// clock is a duration in whole seconds.
func clock(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Truncate(time.Second).String()
}
