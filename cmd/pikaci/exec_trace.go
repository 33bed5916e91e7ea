package main

import (
	"context"

	"github.com/sledtools/pikaci/runtime"
	"github.com/sledtools/pikaci/runtime/otlp"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

// tracer sends a run's spans, if the environment asks for that.
type tracer struct {
	exporter *otlp.Exporter
	sent     chan error
}

// trace makes the run part of the trace that TRACEPARENT names, or of one of its
// own, and has each job's command be told of its place there. Where no spans
// are wanted, what the environment says is passed on as it stands.
func (x *execution) trace(s *session, c *runtime.Config) *tracer {
	t := &tracer{}
	exporter, err := otlp.FromEnv(x.fromEnv, ownVersion())
	if err != nil {
		s.note("pikaci: no spans are sent: %v", err)
	}
	c.TraceParent, _ = x.fromEnv("TRACEPARENT")
	if x.resumed != nil { // its jobs were told already
		c.TraceParent, c.Trace = x.resumed.progress.Started.TraceParent, x.resumed.progress.Started.Trace
	}
	state, _ := x.fromEnv("TRACESTATE")
	parent, has := otlp.ParseContext(c.TraceParent)
	if !has {
		c.TraceParent, state = "", ""
	}
	env := func(parent, state string) map[string]string {
		if state == "" {
			return map[string]string{"TRACEPARENT": parent}
		}
		return map[string]string{"TRACEPARENT": parent, "TRACESTATE": state}
	}
	if has {
		passedOn := c.TraceParent
		c.JobEnv = func(string) map[string]string { return env(passedOn, state) }
	}
	// Whoever started the run decides whether the trace is kept.
	if exporter == nil || has && !parent.Sampled {
		return t
	}
	t.exporter = exporter
	if x.resumed == nil {
		c.Trace = otlp.Begin(parent).String()
	}
	if own, ok := otlp.ParseContext(c.Trace); ok {
		c.JobEnv = func(job string) map[string]string { return env(own.Job(job).String(), state) }
	}
	return t
}

// send begins to send the spans of a run that ended.
func (t *tracer) send(past record.Past, p *plan.Plan) {
	if t.exporter == nil {
		return
	}
	t.sent = make(chan error, 1)
	go func() { t.sent <- t.exporter.Export(context.Background(), otlp.Spans(past, p)) }()
}

// wait waits for the end of the sending, which has its own limit. It changes no
// verdict.
func (t *tracer) wait(s *session) {
	if t.sent == nil {
		return
	}
	if err := <-t.sent; err != nil {
		s.note("pikaci: %v", err)
	}
}

// spansOf is what a collector would get of a run.
func spansOf(past record.Past, p *plan.Plan) ([]byte, error) {
	b, err := otlp.Encode([]otlp.Attribute{{Key: "service.name", Value: "pikaci"}}, past.Run.Pikaci, otlp.Spans(past, p))
	return append(b, '\n'), err
}
