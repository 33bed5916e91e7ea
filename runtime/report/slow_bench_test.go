package report_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report"
	"github.com/sledtools/pikaci/schema/plan"
)

// longRun is of jobs that wait for each other, and some time for a slot, all of a
// lane that waited for its group.
func longRun(jobs int) (record.Past, *plan.Plan) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := &plan.Plan{Lanes: []plan.Lane{{ID: "a", Chosen: true}}}
	r := record.Run{ID: "long", StartedAt: began}
	at := began
	after := func(d time.Duration) *time.Time { at = at.Add(d); t := at; return &t }
	for i := range jobs {
		id := fmt.Sprintf("job-%d", i)
		n := plan.Node{ID: plan.ExecuteID(id), Jobs: []string{id}, HostCommand: &plan.HostCommand{Job: id}}
		if i > 0 {
			n.DependsOn = []string{plan.ExecuteID(fmt.Sprintf("job-%d", i-1))}
		}
		p.Jobs = append(p.Jobs, plan.Job{ID: id, Lane: "a"})
		p.Nodes = append(p.Nodes, n)
		start := after(time.Second)
		end := after(time.Second)
		done := event.Outcome{Verdict: event.Passed}
		r.Nodes = append(r.Nodes, record.NodeRecord{ID: n.ID, Outcome: done, StartedAt: start, EndedAt: end})
		r.Jobs = append(r.Jobs, record.JobRecord{ID: id, Lane: "a", Outcome: done,
			Phases: []record.PhaseRecord{{Phase: event.Command, StartedAt: *start, EndedAt: end, DurationMS: 1000}}})
	}
	r.FinishedAt, r.DurationMS = &at, at.Sub(began).Milliseconds()
	r.Lanes = []record.LaneRecord{{ID: "a", Waits: []record.GroupWait{{Group: "g", Holder: "lane b", StartedAt: began}}}}
	return record.Past{Run: r, Last: at, State: record.Finished}, p
}

func BenchmarkWhySlow(b *testing.B) {
	for _, jobs := range []int{500, 5000} {
		past, p := longRun(jobs)
		b.Run(fmt.Sprint(jobs), func(b *testing.B) {
			for b.Loop() {
				s := report.WhySlow(past, p, []record.Run{past.Run, past.Run}, past.Last)
				if len(s.Steps) != 2*jobs {
					b.Fatal(len(s.Steps))
				}
			}
		})
	}
}

// TestWhySlowOfALongRun: 5,000 jobs that wait for each other took a quarter of an
// hour when each was searched for.
func TestWhySlowOfALongRun(t *testing.T) {
	past, p := longRun(5000)
	start := time.Now()
	s := report.WhySlow(past, p, []record.Run{past.Run}, past.Last)
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	if len(s.Steps) != 10_000 || s.Steps[0].Group != "g" || s.Steps[9998].Node != "execute-job-4999" || s.Steps[9999].UsualMS == nil {
		t.Errorf("%d steps, %+v, %+v", len(s.Steps), s.Steps[0], s.Steps[len(s.Steps)-1])
	}
}
