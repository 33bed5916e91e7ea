package result

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/record"
)

// FuzzPointer: what is read as a pointer leads to a run of this state root, and
// is read again as it was.
func FuzzPointer(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"schema_version":1,"run":"r","job":"j"}`, `{"schema_version":1,"run":"../r","job":"j"}`,
		`{"schema_version":2,"run":"r","job":"j"}`, `{"schema_version":1,"run":"r","job":"j"}{}`, `null`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePointer(b)
		if err != nil {
			return
		}
		if !record.ValidID(p.Run) || strings.ContainsAny(p.Run, "/\\") || p.Job == "" {
			t.Fatalf("%+v", p)
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := decodePointer(again); err != nil || p != q {
			t.Fatalf("%+v became %+v, %v", p, q, err)
		}
	})
}
