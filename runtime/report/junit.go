package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// LogEnds gives the last lines of those logs of a job, harmless; [LastLines]
// does.
type LogEnds func(job string, streams ...event.Stream) []string

// The elements of junit.xml, as its readers agree on them.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Name    string   `xml:"name,attr"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name string `xml:"name,attr"`
		junitCounts
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitCounts struct {
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Time     string `xml:"time,attr"`
		ms       int64
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name  string `xml:"name,attr"`
		Class string `xml:"classname,attr"`
		Time  string `xml:"time,attr"`
		// Properties say which run a cached job's pass is in.
		Properties *junitProperties `xml:"properties"`
		Failure    *junitReason     `xml:"failure"`
		Error      *junitReason     `xml:"error"`
		Skipped    *junitReason     `xml:"skipped"`
		SystemOut  *junitText       `xml:"system-out"`
		SystemErr  *junitText       `xml:"system-err"`
	}
	junitProperties struct {
		List []junitProperty `xml:"property"`
	}
	junitReason struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",innerxml"`
	}
	junitText struct {
		Text string `xml:",innerxml"`
	}
)

// maxJUnitLogs is how many jobs have their logs in junit.xml: where hundreds
// failed, nobody waits for the rest, and the record has them.
const maxJUnitLogs = 100

// atMost gives the logs of so many jobs, and none of others.
func (ends LogEnds) atMost(n int) LogEnds {
	seen := make(map[string]bool)
	return func(job string, streams ...event.Stream) []string {
		if !seen[job] && len(seen) == n {
			return nil
		}
		seen[job] = true
		return ends(job, streams...)
	}
}

// JUnit writes the run as JUnit's XML: a lane is a test suite, a job a test
// case. A job that failed has its last lines; what could not be carried out is
// an error, not a failure, and so is a job of a run that was killed. Of a run
// that only prepared, builds are the test cases. The plan may be nil.
func JUnit(w io.Writer, past record.Past, p *plan.Plan, ends LogEnds) error {
	r := past.Run
	ends = ends.atMost(maxJUnitLogs)
	all := junitSuites{Name: "pikaci"}
	if r.PrepareOnly {
		all.add(prepareSuite(past))
	} else {
		lanes := lanesOf(r, p)
		for _, l := range r.Lanes {
			s := suite(r, l.ID)
			for i := range r.Jobs {
				if j := &r.Jobs[i]; lanes[j.ID] == l.ID {
					s.add(jobCase(j, l.ID, past.State, ends), j.DurationMS)
				}
			}
			all.add(s)
		}
	}
	all.Time = xmlSeconds(r.DurationMS)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// lanesOf are the lanes of jobs, of those too that have not ended if the plan
// is known.
func lanesOf(r record.Run, p *plan.Plan) map[string]string {
	lanes := make(map[string]string)
	if p != nil {
		for _, j := range p.Jobs {
			lanes[j.ID] = j.Lane
		}
	}
	for _, j := range r.Jobs {
		if j.Lane != "" {
			lanes[j.ID] = j.Lane
		}
	}
	return lanes
}

func suite(r record.Run, name string) *junitSuite {
	s := &junitSuite{Name: xmlText(name), Timestamp: r.StartedAt.UTC().Format("2006-01-02T15:04:05")}
	s.Properties = []junitProperty{{"run", xmlText(r.ID)}, {"plan_digest", xmlText(r.PlanDigest)}, {"pikaci", xmlText(r.Pikaci)}}
	if r.Snapshot != nil && r.Snapshot.GitHead != "" {
		s.Properties = append(s.Properties, junitProperty{"git_head", xmlText(r.Snapshot.GitHead)})
	}
	return s
}

// prepareSuite has the builds of a run that did nothing else.
func prepareSuite(past record.Past) *junitSuite {
	s := suite(past.Run, "payloads")
	for _, n := range past.Run.Nodes {
		var ms int64
		for _, ph := range n.Phases {
			ms += ph.DurationMS
		}
		c := junitCase{Name: xmlText(n.ID), Class: "payloads", Time: xmlSeconds(ms)}
		c.judge(n.Outcome, past.State, nil)
		s.add(c, ms)
	}
	return s
}

func jobCase(j *record.JobRecord, lane string, state record.State, ends LogEnds) junitCase {
	c := junitCase{Name: xmlText(j.ID), Class: xmlText(lane), Time: xmlSeconds(j.DurationMS)}
	var last []string
	if j.Verdict == event.Failed || j.Verdict == "" {
		last = ends(j.ID, event.Stdout, event.Stderr)
		c.SystemOut = textOf(ends(j.ID, event.Stdout))
		c.SystemErr = textOf(ends(j.ID, event.Stderr))
		if len(last) == 0 {
			last = ends(j.ID, event.Host)
		}
	}
	c.judge(j.Outcome, state, last)
	return c
}

// judge gives the case the element of its verdict.
func (c *junitCase) judge(o event.Outcome, state record.State, last []string) {
	reason := &junitReason{Message: xmlText(why(o)), Type: string(o.Failure), Text: xmlBody(last)}
	switch {
	case o.Verdict == event.Cached:
		c.Properties = &junitProperties{[]junitProperty{{Name: "cached_from", Value: xmlText(o.CachedFrom)}}}
	case o.Verdict == event.Failed && (o.Failure == event.Test || o.Failure == event.Timeout):
		c.Failure = reason
	case o.Verdict == event.Failed:
		c.Error = reason
	case o.Verdict == event.Skipped, o.Verdict == event.Cancelled:
		reason.Type, reason.Text = "", ""
		reason.Message = string(o.Verdict) + colon(reason.Message)
		c.Skipped = reason
	case o.Verdict == "":
		reason.Message, reason.Type = "it has not ended: the run goes on, or was killed", string(event.Infra)
		if state == record.Killed {
			reason.Message = "it has not ended: the run was killed"
		}
		c.Error = reason
	}
}

func textOf(lines []string) *junitText {
	if len(lines) == 0 {
		return nil
	}
	return &junitText{xmlBody(lines)}
}

func (s *junitSuite) add(c junitCase, ms int64) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	s.ms += ms
	s.Time = xmlSeconds(s.ms)
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func (a *junitSuites) add(s *junitSuite) {
	if s.Time == "" {
		s.Time = xmlSeconds(0)
	}
	a.Suites = append(a.Suites, *s)
	a.Tests += s.Tests
	a.Failures += s.Failures
	a.Errors += s.Errors
	a.Skipped += s.Skipped
}

// xmlSeconds is a duration in milliseconds as JUnit wants it.
func xmlSeconds(ms int64) string {
	return fmt.Sprintf("%.3f", time.Duration(ms*int64(time.Millisecond)).Seconds())
}

// xmlBody are lines as the content of an element. encoding/xml would also
// escape what ends them, which reads badly.
func xmlBody(lines []string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(xmlText(strings.Join(lines, "\n"))))
	return strings.ReplaceAll(b.String(), "&#xA;", "\n")
}

// xmlText leaves out what XML 1.0 can't hold in any way, line by line, and
// escape sequences with it.
func xmlText(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			if r == 0xfffe || r == 0xffff {
				return -1
			}
			return r
		}, clean([]byte(l)))
	}
	return strings.Join(lines, "\n")
}
