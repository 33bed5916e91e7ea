package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sledtools/pikaci/compiler"
)

// printLanes prints the list of lanes: for a person a table with a whole row for
// each job, so that grep finds all there is to know of it; for a program JSON.
func printLanes(w io.Writer, lanes []compiler.Lane, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Lanes []compiler.Lane `json:"lanes"`
		}{lanes})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LANE\tTARGET\tTRIGGER\tJOB\tTITLE")
	for _, l := range lanes {
		target := l.TargetID
		if target == "" {
			target = "-"
		}
		for _, j := range l.Jobs {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", l.ID, target, l.Trigger, j.ID, l.Title)
		}
	}
	return t.Flush()
}
