package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	// maxSpans is how many go in one request.
	maxSpans = 1000
	// againAfter is how long a collector that is busy, or not there, is left
	// before it is asked again.
	againAfter = 300 * time.Millisecond
	maxAnswer  = 64 << 10
)

// errLate means that the collector did not take the spans in the time that a
// run's end may be put off.
var errLate = errors.New("not in time")

// Export sends the spans, and gives up in time.
func (x *Exporter) Export(ctx context.Context, all []Span) error {
	ctx, cancel := context.WithTimeoutCause(ctx, x.limit, errLate)
	defer cancel()
	for some := range slices.Chunk(all, maxSpans) {
		body, err := Encode(x.resource, x.version, some)
		if err == nil {
			err = x.send(ctx, body)
		}
		if err != nil {
			return fmt.Errorf("send spans to %s: %w", x.where(), err)
		}
	}
	return nil
}

// where is the endpoint without what may be secret.
func (x *Exporter) where() string {
	u, err := url.Parse(x.endpoint)
	if err != nil {
		return "the collector"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// send sends one request, again while that may help and there is time.
func (x *Exporter) send(ctx context.Context, body []byte) error {
	if x.gzip {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(body) // to memory: no error
		w.Close()
		body = b.Bytes()
	}
	for {
		again, err := x.post(ctx, body)
		if err == nil || !again {
			return err
		}
		select {
		case <-time.After(againAfter):
		case <-ctx.Done():
			return err
		}
	}
}

// post reports whether another try may help.
func (x *Exporter) post(ctx context.Context, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, x.endpoint, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("it is not an address")
	}
	r.Header = x.headers.Clone()
	r.Header.Set("User-Agent", "pikaci/"+x.version)
	if x.gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := x.client.Do(r)
	if u := new(url.Error); errors.As(err, &u) {
		err = u.Err // the address is said already
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return true, err
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch answer.StatusCode {
	case http.StatusOK:
		return false, refused(b)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, errors.New("it answers " + answer.Status)
	}
	return false, errors.New("it answers " + answer.Status)
}

// refused is an error where a collector says that it did not take all.
func refused(answer []byte) error {
	var said struct {
		Partial struct {
			Rejected json.Number `json:"rejectedSpans"`
			Message  string      `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &said) != nil || said.Partial.Rejected == "" || said.Partial.Rejected == "0" {
		return nil
	}
	return fmt.Errorf("it refuses %s spans: %.200q", said.Partial.Rejected, said.Partial.Message)
}
