package plan

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

// TestIndent holds indent against encoding/json on any value.
func TestIndent(t *testing.T) {
	scalar := rapid.OneOf(
		rapid.String().AsAny(),
		rapid.StringOf(rapid.SampledFrom([]rune(`\"{}[]:, `+"\n\x00\u2028é"))).AsAny(),
		rapid.Int().AsAny(), rapid.Float64().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil),
	)
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return scalar
		}
		return rapid.OneOf(scalar,
			rapid.SliceOfN(value(depth-1), 0, 4).AsAny(),
			rapid.MapOfN(rapid.String(), value(depth-1), 0, 4).AsAny())
	}
	rapid.Check(t, func(t *rapid.T) {
		var compact, want bytes.Buffer
		e := json.NewEncoder(&compact)
		e.SetEscapeHTML(rapid.Bool().Draw(t, "html"))
		if err := e.Encode(value(4).Draw(t, "value")); err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&want, compact.Bytes(), "", "  "); err != nil {
			t.Fatal(err)
		}
		if got := indent(compact.Bytes()); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("got\n%s\nwant\n%s", got, want.Bytes())
		}
	})
}
