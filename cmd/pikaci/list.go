package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sledtools/pikaci/compiler"
)

// printLanes prints the list of lanes: for a person a table, each lane with its
// jobs below it; for a program JSON.
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
	fmt.Fprintln(t, "LANE\tTITLE\tTARGET\tTRIGGER\tJOBS")
	for _, l := range lanes {
		target := l.TargetID
		if target == "" {
			target = "-"
		}
		for i, j := range l.Jobs {
			if i == 0 {
				fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.Title, target, l.Trigger, j.ID)
				continue
			}
			fmt.Fprintf(t, "\t\t\t\t%s\n", j.ID)
		}
	}
	return t.Flush()
}
