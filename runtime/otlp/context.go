package otlp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Context is where in a trace something is: what a TRACEPARENT says, of W3C's
// Trace Context, version 00.
type Context struct {
	// TraceID and SpanID are in lower-case hex.
	TraceID, SpanID string
	Sampled         bool
}

// ParseContext reads a TRACEPARENT; false where it is none.
func ParseContext(text string) (Context, bool) {
	parts := strings.Split(text, "-")
	if len(parts) < 4 || !isHex(parts[0], 2) || parts[0] == "ff" || parts[0] == "00" && len(parts) != 4 {
		return Context{}, false
	}
	if !isHex(parts[1], 32) || !isHex(parts[2], 16) || !isHex(parts[3], 2) || allZero(parts[1]) || allZero(parts[2]) {
		return Context{}, false
	}
	flags, _ := hex.DecodeString(parts[3])
	return Context{TraceID: parts[1], SpanID: parts[2], Sampled: flags[0]&1 == 1}, true
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

func allZero(s string) bool { return strings.Trim(s, "0") == "" }

// String is the context as a TRACEPARENT.
func (c Context) String() string {
	flags := "00"
	if c.Sampled {
		flags = "01"
	}
	return fmt.Sprintf("00-%s-%s-%s", c.TraceID, c.SpanID, flags)
}

// Begin is the context of a run's own span: in its parent's trace, or in one of
// its own where it has none.
func Begin(parent Context) Context {
	c := Context{TraceID: parent.TraceID, Sampled: true}
	if c.TraceID == "" {
		var id [16]byte
		rand.Read(id[:])
		c.TraceID = hex.EncodeToString(id[:])
	}
	var id [8]byte
	rand.Read(id[:])
	c.SpanID = hex.EncodeToString(id[:])
	return c
}

// Within is the context of a part of a run: the same for the same part, so that
// a job's command may have it before the span is written.
func (c Context) Within(kind, name string) Context {
	c.SpanID = digest(8, c.TraceID, c.SpanID, kind, name)
	return c
}

// Job is the context of a job of the run, for its command.
func (c Context) Job(id string) Context { return c.Within("job", id) }

// digest is the first bytes, in hex, of a hash of the words.
func digest(length int, words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return hex.EncodeToString(sum[:length])
}
