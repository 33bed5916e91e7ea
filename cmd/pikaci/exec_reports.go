package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/schema/plan"
)

// summaryFiles name the files that CIs show beside a step. Some set more than
// one of them, to the same file.
var summaryFiles = []string{"GITHUB_STEP_SUMMARY", "GITEA_STEP_SUMMARY", "FORGEJO_STEP_SUMMARY"}

// maxJUnitLines is how many lines of each log junit.xml holds of a job.
const maxJUnitLines = 200

// writeReports writes what others read of a run: junit.xml, trace.json,
// report.html, and the CI's step summary. None can change a verdict: what can't be written is told.
func writeReports(dir *record.Dir, past record.Past, p *plan.Plan, stateRoot string, fromEnv func(string) (string, bool)) error {
	file := func(name string) func() error {
		return func() error {
			b, err := reportAs(name, dir, past, p)
			if err != nil {
				return err
			}
			return dir.WriteReport(name, b)
		}
	}
	return together(file("junit.xml"), file("trace.json"),
		func() error { return addSummary(dir, past, p, fromEnv) },
		func() error { return writeOwnPage(stateRoot, dir, past, p) })
}

// reportAs is one of the reports, by the name of its file.
func reportAs(name string, dir *record.Dir, past record.Past, p *plan.Plan) ([]byte, error) {
	ends := func(job string, streams ...event.Stream) []string {
		lines, err := report.LastLines(dir, job, streams, maxJUnitLines)
		if err != nil {
			return []string{"pikaci: " + err.Error()}
		}
		return lines
	}
	var b bytes.Buffer
	var err error
	switch name {
	case "junit.xml":
		err = report.JUnit(&b, past, p, ends)
	case "trace.json":
		err = report.Trace(&b, past, p)
	case "otlp.json":
		return spansOf(past, p)
	default:
		err = report.Markdown(&b, past, p, ends)
	}
	if err != nil {
		return nil, fmt.Errorf("make %s of run %s: %w", name, dir.ID, err)
	}
	return b.Bytes(), nil
}

// addSummary appends the step summary to each file that the environment names,
// once.
func addSummary(dir *record.Dir, past record.Past, p *plan.Plan, fromEnv func(string) (string, bool)) error {
	var errs []error
	var done []string
	for _, name := range summaryFiles {
		path, _ := fromEnv(name)
		if path == "" || slices.Contains(done, path) {
			continue
		}
		done = append(done, path)
		if err := appendSummary(path, dir, past, p); err != nil {
			errs = append(errs, fmt.Errorf("write the step summary that %s names: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func appendSummary(path string, dir *record.Dir, past record.Past, p *plan.Plan) error {
	b, err := reportAs("summary.md", dir, past, p)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}
