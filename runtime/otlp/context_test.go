package otlp_test

import (
	"testing"

	"github.com/sledtools/pikaci/runtime/otlp"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
)

func TestParseContext(t *testing.T) {
	for text, want := range map[string]bool{
		"00-" + traceID + "-" + spanID + "-01":                  true,
		"00-" + traceID + "-" + spanID + "-00":                  true,
		"00-" + traceID + "-" + spanID + "-03":                  true,
		"cc-" + traceID + "-" + spanID + "-01-what-will-come":   true,
		"00-" + traceID + "-" + spanID + "-01-more":             false,
		"ff-" + traceID + "-" + spanID + "-01":                  false,
		"00-" + traceID + "-0000000000000000-01":                false,
		"00-00000000000000000000000000000000-" + spanID + "-01": false,
		"00-0AF7651916CD43DD8448EB211C80319C-" + spanID + "-01": false,
		"00-" + traceID + "-" + spanID:                          false,
		"00-" + traceID[1:] + "-" + spanID + "-01":              false,
		"00-" + traceID + "-" + spanID + "-0x":                  false,
		"":                                                      false,
	} {
		c, ok := otlp.ParseContext(text)
		if ok != want || ok && (c.TraceID != traceID || c.SpanID != spanID || c.Sampled != (text[54] != '0')) {
			t.Errorf("%q gives %+v, %t", text, c, ok)
		}
	}
}

// TestContextsOfParts: the same part has the same place, and no other's.
func TestContextsOfParts(t *testing.T) {
	parent := otlp.Context{TraceID: traceID, SpanID: spanID, Sampled: true}
	own := otlp.Begin(parent)
	if own.TraceID != traceID || own.SpanID == spanID || own == otlp.Begin(parent) {
		t.Errorf("%+v", own)
	}
	if alone := otlp.Begin(otlp.Context{}); alone.TraceID == "" || alone.TraceID == otlp.Begin(otlp.Context{}).TraceID {
		t.Errorf("%+v", alone)
	}
	if own.Job("a") != own.Job("a") || own.Job("a") == own.Job("b") || own.Job("a") == own.Within("lane", "a") {
		t.Error("places of jobs")
	}
	if again, ok := otlp.ParseContext(own.Job("a").String()); !ok || again != own.Job("a") {
		t.Errorf("%s is not read back", own.Job("a"))
	}
}
