package html_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/runtime/report/html"
	"github.com/sledtools/pikaci/schema/plan"
)

// begun is when the made-up runs began.
var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// made is a run that no one ran: jobs that take their times on two slots.
type made struct {
	id     string
	begun  time.Time
	plan   *plan.Plan
	events []event.Event
	logs   map[string][]chunk
}

// chunk is a part of a log, written at a time of the run.
type chunk struct {
	stream event.Stream
	ms     int
	text   string
}

// say adds an event at a time of the run, in ms.
func (m *made) say(ms int, e event.Event) {
	e.Time = m.begun.Add(time.Duration(ms) * time.Millisecond)
	m.events = append(m.events, e)
}

func (m *made) phase(p event.Phase, node, job string, from, to int) {
	m.say(from, event.Event{PhaseStarted: &event.PhaseStarted{Phase: p, Node: node, Job: job}})
	m.say(to, event.Event{PhaseFinished: &event.PhaseFinished{Phase: p, Node: node, Job: job, DurationMS: int64(to - from)}})
}

func (m *made) node(id string, from, to int, o event.Outcome) {
	m.say(from, event.Event{NodeStarted: &event.NodeStarted{Node: id, Attempt: 1}})
	m.say(to, event.Event{NodeFinished: &event.NodeFinished{Node: id, Outcome: o}})
}

// past is the run as of a time, or at its end.
func (m *made) past(upTo int) record.Past {
	var fold record.Fold
	past := record.Past{State: record.Killed}
	slices.SortStableFunc(m.events, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
	for _, e := range m.events {
		if upTo > 0 && e.Time.Sub(m.begun) > time.Duration(upTo)*time.Millisecond {
			continue
		}
		fold.Add(e)
		past.Last = e.Time
	}
	past.Run, past.Outputs = fold.Run(), fold.Outputs()
	if past.Run.FinishedAt != nil {
		past.State = record.Finished
	}
	return past
}

// run is what the report is made of.
func (m *made) run(earlier ...record.Run) html.Run {
	return html.Run{Past: m.past(0), Plan: m.plan, Earlier: earlier, Linked: true, Logs: m.read}
}

func (m *made) read(job string, last int64, each func(event.Stream, time.Time, []byte) error) error {
	for _, c := range m.logs[job] {
		text := c.text
		if over := int64(len(text)) - last; last > 0 && over > 0 {
			text = text[over:]
		}
		if err := each(c.stream, m.begun.Add(time.Duration(c.ms)*time.Millisecond), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

var passed = event.Outcome{Verdict: event.Passed}

func failed(kind event.Failure, exit int, reason string) event.Outcome {
	return event.Outcome{Verdict: event.Failed, Failure: kind, ExitCode: &exit, Reason: reason}
}

// step is a job of a story: in an instance, after a build and other jobs.
type step struct {
	id, lane, does string
	host           bool
	needs          []string
	from, ms       int
	outcome        event.Outcome
	command        []string
}

// story makes a run of steps that share a build.
func story(id string, at time.Time, lanes []string, steps []step) *made {
	m := &made{id: id, begun: at, plan: storyPlan(lanes, steps), logs: map[string][]chunk{}}
	var jobs []string
	for _, s := range steps {
		jobs = append(jobs, s.id)
	}
	m.say(0, event.Event{JournalOpened: &event.JournalOpened{SchemaVersion: 1, RunID: id, Pikaci: "v1.4.0"}})
	m.say(1, event.Event{RunStarted: &event.RunStarted{RunDir: "/srv/pikaci/runs/" + id, SourceRoot: "/src/chat", PlanDigest: "sha256:7c1e3f0a99d2b4", Parallel: 2, Lanes: lanes, Jobs: jobs}})
	m.phase(event.Snapshot, "", "", 2, 640)
	m.say(640, event.Event{SnapshotTaken: &event.SnapshotTaken{ContentHash: "sha256:30a7907a42ac", Files: 1204, Bytes: 48_000_000, GitHead: "4a9a25e1c0ffee00", GitDirty: true}})
	m.phase(event.Build, "prepare-rust-deps", "", 650, 9400)
	m.node("prepare-rust-deps", 650, 9400, passed)
	m.phase(event.Build, "prepare-rust-build", "", 9410, 31200)
	m.node("prepare-rust-build", 9410, 31200, passed)
	end := 31200
	for _, s := range steps {
		end = max(end, m.step(s))
	}
	worst := event.Passed
	bad := 0
	for _, s := range steps {
		if s.outcome.Verdict != event.Passed {
			bad++
			worst = event.Failed
		}
	}
	for _, l := range lanes {
		v := event.Passed
		for _, s := range steps {
			if s.lane == l && s.outcome.Verdict != event.Passed {
				v = event.Failed
			}
		}
		m.say(end+100, event.Event{LaneFinished: &event.LaneFinished{Lane: l, Verdict: v}})
	}
	fin := event.RunFinished{Verdict: worst, DurationMS: int64(end + 120)}
	if bad > 0 {
		fin.ExitCode, fin.Reason = 1, fmt.Sprintf("%d of %d did not pass", bad, len(steps))
	}
	m.say(end+120, event.Event{RunFinished: &fin})
	return m
}

// step carries out one job and returns its end.
func (m *made) step(s step) int {
	end := s.from + s.ms
	if s.outcome.Verdict == event.Skipped {
		m.say(s.from, event.Event{NodeFinished: &event.NodeFinished{Node: plan.ExecuteID(s.id), Outcome: s.outcome}})
		m.say(s.from, event.Event{JobFinished: &event.JobFinished{Job: s.id, Lane: s.lane, Outcome: s.outcome}})
		return s.from
	}
	if s.host {
		m.phase(event.Command, "", s.id, s.from, end)
	} else {
		ready := s.from - s.from%31300 - 700 // while payloads are built
		m.phase(event.Create, "", s.id, ready-600, ready)
		m.node(plan.PrepareRunnerID(s.id), ready-600, ready, passed)
		m.phase(event.Devices, "", s.id, s.from, s.from+120)
		m.phase(event.Start, "", s.id, s.from+120, s.from+1100)
		m.phase(event.Command, "", s.id, s.from+1100, end-150)
		m.phase(event.Artifacts, "", s.id, end-150, end)
		m.phase(event.Delete, "", s.id, end, end+260)
	}
	m.node(plan.ExecuteID(s.id), s.from, end, s.outcome)
	m.say(end, event.Event{JobFinished: &event.JobFinished{Job: s.id, Lane: s.lane, Outcome: s.outcome, DurationMS: int64(s.ms)}})
	return end + 260
}

func storyPlan(lanes []string, steps []step) *plan.Plan {
	p := &plan.Plan{}
	for _, l := range lanes {
		lane := plan.Lane{ID: l, Title: "check-" + l, Chosen: true, Reason: "crates/" + l + "/src/lib.rs matches crates/**"}
		for _, s := range steps {
			if s.lane == l {
				lane.Jobs = append(lane.Jobs, s.id)
			}
		}
		p.Lanes = append(p.Lanes, lane)
	}
	p.Lanes = append(p.Lanes, plan.Lane{ID: "apple", Title: "check-apple", Reason: "no changed path matches apple/**"})
	var guests []string
	for _, s := range steps {
		if !s.host {
			guests = append(guests, s.id)
		}
	}
	build := func(id, what string, after ...string) {
		p.Nodes = append(p.Nodes, plan.Node{ID: id, Description: "Build " + what, DependsOn: after, Jobs: guests, NixBuild: &plan.NixBuild{Installable: "path:snapshot#" + what, OutputName: what}})
	}
	build("prepare-rust-deps", "ci.rustDeps")
	build("prepare-rust-build", "ci.rustBuild", "prepare-rust-deps")
	for _, s := range steps {
		job := plan.Job{ID: s.id, Lane: s.lane, Description: s.does, TimeoutSecs: 1800, Needs: s.needs}
		var after []string
		for _, n := range s.needs {
			after = append(after, plan.ExecuteID(n))
		}
		node := plan.Node{ID: plan.ExecuteID(s.id), Description: s.does, Jobs: []string{s.id}}
		if s.host {
			node.HostCommand = &plan.HostCommand{Job: s.id, Command: s.command}
		} else {
			job.Incus = &plan.Incus{Image: "pikaci/dev", InstanceType: plan.Container, CPUs: 2, Memory: "4096MiB", Network: "none"}
			p.Nodes = append(p.Nodes, plan.Node{ID: plan.PrepareRunnerID(s.id), Jobs: []string{s.id}, IncusInstance: &plan.IncusInstance{Job: s.id}})
			node.GuestCommand = &plan.GuestCommand{Job: s.id, Command: s.command}
			after = append(after, "prepare-rust-build", plan.PrepareRunnerID(s.id))
		}
		node.DependsOn = after
		p.Nodes, p.Jobs = append(p.Nodes, node), append(p.Jobs, job)
	}
	return p
}

// steps are those of the made-up runs; a factor stretches their times.
func steps(factor float64) []step {
	ms := func(n int) int { return int(float64(n) * factor) }
	return []step{
		{id: "fmt", lane: "chat", does: "The code is formatted", host: true, from: 700, ms: ms(1900), outcome: passed, command: []string{"cargo", "fmt", "--check"}},
		{id: "clippy", lane: "chat", does: "Clippy has nothing to say", from: 31300, ms: ms(14200), outcome: passed, command: []string{"cargo", "clippy", "--", "-D", "warnings"}},
		{id: "unit-tests", lane: "chat", does: "The crates' own tests", from: 31300, ms: ms(22600), outcome: passed, command: []string{"bash", "-ec", "cargo nextest run --workspace"}},
		{id: "relay-e2e", lane: "relay", does: "Two clients talk over a relay", from: 31300 + ms(14500), ms: ms(18400), outcome: passed, command: []string{"pika-e2e", "--clients", "2"}},
		{id: "notifications", lane: "relay", does: "Notifications arrive once", from: 31300 + ms(22900), ms: ms(9300), outcome: passed, command: []string{"pika-notify", "--once"}},
		{id: "package", lane: "relay", does: "The release is packed", needs: []string{"relay-e2e"}, from: 31300 + ms(33000), ms: ms(6000), outcome: passed, command: []string{"just", "package"}},
	}
}

// theStory is a run with a failed job after four that passed.
func theStory() (*made, []record.Run) {
	lanes := []string{"chat", "relay"}
	var earlier []record.Run
	for i, factor := range []float64{0.97, 1.02, 0.99, 1.04} {
		list := steps(factor)
		if i == 2 {
			list[4].outcome = failed(event.Test, 1, "")
		}
		earlier = append(earlier, story(fmt.Sprintf("01k%dx7", 8-i), begun.Add(-time.Duration(i+1)*7*time.Hour), lanes, list).past(0).Run)
	}
	list := steps(1.06)
	list[2].outcome, list[2].ms = passed, 34800
	list[2].outcome.Reason = "flaky: passed at attempt 2"
	list[3].outcome = failed(event.Test, 101, "")
	list[5].outcome = event.Outcome{Verdict: event.Skipped, Reason: "job relay-e2e, which it needs, failed"}
	m := story("01k9m2w4qz", begun, lanes, list)
	m.say(60_000, event.Event{NodeRetried: &event.NodeRetried{Node: "execute-unit-tests", Attempt: 1, Outcome: failed(event.Test, 100, "")}})
	m.say(64_000, event.Event{Artifact: &event.Artifact{Job: "relay-e2e", Path: "relay/relay.log", Bytes: 18_342, SHA256: "00"}})
	m.say(64_000, event.Event{Artifact: &event.Artifact{Job: "relay-e2e", Path: "screens/client b #1.png", Bytes: 220_100, SHA256: "00"}})
	m.say(64_000, event.Event{Artifact: &event.Artifact{Job: "relay-e2e", Path: "core", Refused: "not a regular file"}})
	for _, s := range list {
		m.logs[s.id] = []chunk{{event.Host, s.from, "pikaci: mounted prepare-rust-build at /opt/rust\n"}}
	}
	m.logs["unit-tests"] = append(m.logs["unit-tests"], testLog(31300, 400)...)
	m.logs["relay-e2e"] = append(m.logs["relay-e2e"], failingLog()...)
	m.logs["package"] = nil
	return m, earlier
}

func testLog(from, n int) []chunk {
	var list []chunk
	for i := range n {
		list = append(list, chunk{event.Stdout, from + 50*i, fmt.Sprintf("        \x1b[32;1mPASS\x1b[0m [   0.%03ds] \x1b[35;1mpika-core\x1b[0m \x1b[36msession::tests::\x1b[0m\x1b[34;1mround_trip_%d\x1b[0m\n", 13+i%80, i)})
	}
	return append(list, chunk{event.Stderr, from + 50*n, "warning: unused variable: `id`\n"})
}

func failingLog() []chunk {
	at, list := 46800, []chunk{}
	say := func(s event.Stream, text string) {
		at += 430
		list = append(list, chunk{s, at, text + "\n"})
	}
	say(event.Stdout, "relay: listening on \x1b[36m127.0.0.1:7447\x1b[0m")
	for _, c := range []string{"alice", "bob"} {
		say(event.Stdout, "client "+c+": \x1b[32mconnected\x1b[0m")
	}
	for i := range 60 {
		say(event.Stdout, fmt.Sprintf("  message %2d  alice → bob  \x1b[32mdelivered\x1b[0m in %d ms", i+1, 11+i*7%23))
		at -= 300
	}
	say(event.Stdout, " 10%\r 50%\r100%\r")
	say(event.Stderr, "\x1b[33mwarning\x1b[0m: relay closed the connection: 1006")
	say(event.Stdout, "  message 61  alice → bob  \x1b[31;1mlost\x1b[0m")
	say(event.Stderr, "thread 'main' panicked at crates/relay-e2e/src/main.rs:214:9:")
	say(event.Stderr, "assertion `left == right` failed: bob has seen every message once")
	say(event.Stderr, "  left: \x1b[31m60\x1b[0m")
	say(event.Stderr, " right: \x1b[32m61\x1b[0m")
	say(event.Stderr, "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace")
	return list
}

// bigRun has many jobs in a few lanes, with logs of so many bytes each.
func bigRun(jobs, bytes int) *made {
	lanes := []string{"alpha", "beta", "gamma", "delta"}
	var list []step
	for i := range jobs {
		s := step{id: fmt.Sprintf("job-%03d", i), lane: lanes[i%4], does: "One of many", from: 31300 + i/8*400, ms: 3000 + i*37%5000, outcome: passed, command: []string{"true"}}
		if i%97 == 19 {
			s.outcome = failed(event.Test, 1, "")
		}
		list = append(list, s)
	}
	m := story("01kbig", begun, lanes, list)
	for i, s := range list {
		m.logs[s.id] = bigLog(i, s.from, bytes)
	}
	return m
}

// bigLog is text as tools print it: alike, and never twice the same.
func bigLog(seed, from, bytes int) []chunk {
	var list []chunk
	var b strings.Builder
	written := 0
	for n := 0; written < bytes; n++ {
		before := b.Len()
		fmt.Fprintf(&b, "[%06d] \x1b[32mok\x1b[0m compiled crate-%d/src/module_%x.rs in %d.%03d s, %d warnings\n", n, seed, (n*2654435761)&0xffffff, n%7, n*7919%1000, n%3)
		written += b.Len() - before
		if b.Len() > 60<<10 {
			list = append(list, chunk{event.Stdout, from + n, b.String()})
			b.Reset()
		}
	}
	return append(list, chunk{event.Stdout, from + bytes, b.String()})
}

// hostile is what a guest says that wants to break out of the page.
const hostile = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">" +
	"]]><!-- ${1+1} {{1}} \u2028\u2029\u202eturned javascript:alert(1) \x1b[31mred\x1b[0m\x1b]0;t\x07\x00\xff' onload=x \"&lt;"

// hostileRun says it in every text that a run has.
func hostileRun() *made {
	id := "x" + hostile
	list := []step{{id: id, lane: hostile, does: hostile, from: 31300, ms: 2000, outcome: failed(event.Test, 1, hostile), command: []string{hostile}},
		{id: "__proto__", lane: hostile, does: "A name that JavaScript knows", host: true, from: 700, ms: 300, outcome: passed, command: []string{"a b"}}}
	m := story("01khostile", begun, []string{hostile}, list)
	m.say(33000, event.Event{Artifact: &event.Artifact{Job: id, Path: "../../" + hostile, Bytes: 1}})
	m.say(33000, event.Event{Artifact: &event.Artifact{Job: id, Path: "javascript:alert(1)", Bytes: 1}})
	m.say(33000, event.Event{LogTruncated: &event.LogTruncated{Job: id, Stream: hostile, Bytes: 9}})
	m.say(33000, event.Event{LeaseLeft: &event.LeaseLeft{Lease: event.Lease{Name: hostile}, Error: hostile, Command: hostile}})
	m.logs[id] = []chunk{{event.Stdout, 31400, hostile + "\n" + hostile}, {event.Stderr, 31500, "@123\n@x\n" + strings.Repeat("long ", 5000) + "\n"}, {event.Host, 31600, "\r\n\n"}}
	return m
}
