// Package otlp tells a collector of OpenTelemetry what a run did: spans that
// are a fold of the run's record, sent as OTLP over HTTP with JSON. It decides
// nothing of a run, and what goes wrong here is only told of.
package otlp
