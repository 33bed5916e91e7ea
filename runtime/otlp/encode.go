package otlp

import (
	"encoding/json"
	"strconv"
)

// The JSON of OTLP's ExportTraceServiceRequest: ids in hex, 64-bit numbers as
// strings.
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	span struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		Parent     string     `json:"parentSpanId,omitempty"`
		Name       string     `json:"name"`
		Kind       Kind       `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes"`
		Events     []moment   `json:"events,omitempty"`
		Status     status     `json:"status"`
	}
	moment struct {
		Time       string     `json:"timeUnixNano"`
		Name       string     `json:"name"`
		Attributes []keyValue `json:"attributes"`
	}
	status struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
	keyValue struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String *string `json:"stringValue,omitempty"`
		Int    *string `json:"intValue,omitempty"`
		Bool   *bool   `json:"boolValue,omitempty"`
	}
)

// failed is the code of a span's status that is an error; of one that went well
// nothing is said.
const failed = 2

// Encode is the request that brings spans to a collector. The resource says who
// sends them.
func Encode(of []Attribute, version string, all []Span) ([]byte, error) {
	spans := make([]span, len(all))
	for i, s := range all {
		spans[i] = span{TraceID: s.TraceID, SpanID: s.SpanID, Parent: s.Parent, Name: s.Name, Kind: s.Kind,
			Start: nanos(s.Start.UnixNano()), End: nanos(s.End.UnixNano()), Attributes: keyValues(s.Attributes)}
		for _, m := range s.Events {
			spans[i].Events = append(spans[i].Events, moment{nanos(m.Time.UnixNano()), m.Name, keyValues(m.Attributes)})
		}
		if s.Failed {
			spans[i].Status = status{failed, s.Error}
		}
	}
	return json.Marshal(request{[]resourceSpans{{resource{keyValues(of)},
		[]scopeSpans{{scope{"github.com/sledtools/pikaci", version}, spans}}}}})
}

func nanos(n int64) string { return strconv.FormatInt(n, 10) }

func keyValues(all []Attribute) []keyValue {
	list := []keyValue{}
	for _, a := range all {
		kv := keyValue{Key: a.Key}
		switch v := a.Value.(type) {
		case string:
			kv.Value.String = &v
		case int64:
			n := nanos(v)
			kv.Value.Int = &n
		case bool:
			kv.Value.Bool = &v
		default:
			panic("BUG: an attribute of another type: " + a.Key)
		}
		list = append(list, kv)
	}
	return list
}
