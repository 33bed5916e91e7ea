package incus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// answerLimit is how long the server may take to answer a request. What
	// takes longer is an operation, which it answers at once and goes on with.
	answerLimit = 30 * time.Second
	// waitSeconds is how long one request waits for an operation's end, before
	// it is asked for again: a server that hangs is told from one that works.
	waitSeconds = 20
)

// silentError means that the server did not answer in time. What was asked for
// may be done or not, or be done later.
type silentError struct{ after time.Duration }

func (e *silentError) Error() string {
	return fmt.Sprintf("the server did not answer for %s", e.after)
}

// answers is a transport whose requests get an answer in time, or an error. The
// client's own limit is an hour.
type answers struct{ by *http.Transport }

// Transport is what the client asks for, to dial sockets.
func (a answers) Transport() *http.Transport { return a.by }

// limitOf is how long a request may take. An instance that is made after its
// request was given up would be left behind, so that one is not given up: the
// making has a limit of its own.
func limitOf(r *http.Request) time.Duration {
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/instances"):
		return createLimit
	case strings.HasSuffix(r.URL.Path, "/wait"):
		return answerLimit + waitSeconds*time.Second
	}
	return answerLimit
}

// RoundTrip sends a request and reads its answer, all of it.
func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	silent := &silentError{limitOf(r)}
	ctx, cancel := context.WithTimeoutCause(r.Context(), silent.after, silent)
	defer cancel()
	answer, err := a.by.RoundTrip(r.WithContext(ctx))
	if err == nil {
		var body []byte
		body, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		answer.Body = io.NopCloser(bytes.NewReader(body))
	}
	if err != nil && r.Context().Err() == nil && errors.Is(context.Cause(ctx), error(silent)) {
		return nil, silent
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}
