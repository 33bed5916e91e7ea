package compiler

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// entryMagic begins a file of the cache. Its number rises when the format, or
// what is looked at, changes in a way that the program's identity does not tell.
const entryMagic = "pikaci compile cache 1\n"

// entry is a file of the cache: an outcome, and what it rests on.
//
// It is the magic line, the SHA-256 of all that follows, and then texts, each
// with its length before it: the key, the number of sightings and three texts
// for each (kind, path, found), the warnings as JSON, whether a lane is chosen,
// the plan.
type entry struct {
	key     string
	seen    []sighting
	outcome Compiled
}

var errNoEntry = errors.New("not a file of the cache, or a damaged one")

func (e *entry) encode() ([]byte, error) {
	warnings, err := json.Marshal(e.outcome.Warnings)
	if err != nil {
		return nil, err
	}
	seen := slices.SortedFunc(slices.Values(e.seen), func(a, b sighting) int {
		return cmp.Or(strings.Compare(a.path, b.path), cmp.Compare(a.kind, b.kind))
	})
	b := make([]byte, len(entryMagic)+sha256.Size, len(e.outcome.Encoded)+len(warnings)+128*len(seen)+4096)
	copy(b, entryMagic)
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	text(e.key)
	b = binary.AppendUvarint(b, uint64(len(seen)))
	for _, s := range seen {
		text(string([]byte{byte(s.kind)}))
		text(s.path)
		text(s.found)
	}
	text(string(warnings))
	chosen := ""
	if e.outcome.Chosen {
		chosen = "chosen"
	}
	text(chosen)
	b = binary.AppendUvarint(b, uint64(len(e.outcome.Encoded)))
	b = append(b, e.outcome.Encoded...)
	sum := sha256.Sum256(b[len(entryMagic)+sha256.Size:])
	copy(b[len(entryMagic):], sum[:])
	return b, nil
}

// decodeEntry takes nothing that encode did not write.
func decodeEntry(b []byte) (*entry, error) {
	rest, ok := bytes.CutPrefix(b, []byte(entryMagic))
	if !ok || len(rest) < sha256.Size {
		return nil, errNoEntry
	}
	want, rest := rest[:sha256.Size], rest[sha256.Size:]
	if sum := sha256.Sum256(rest); !bytes.Equal(sum[:], want) {
		return nil, errNoEntry
	}
	r := entryReader{rest: rest}
	e := &entry{key: string(r.text())}
	for n := r.number(); n > 0 && !r.failed; n-- {
		kind, path, found := r.text(), r.text(), r.text()
		if len(kind) != 1 || !strings.Contains(lookKinds, string(kind)) {
			return nil, errNoEntry
		}
		e.seen = append(e.seen, sighting{look{lookKind(kind[0]), string(path)}, string(found)})
	}
	warnings := r.text()
	e.outcome.Chosen = len(r.text()) > 0
	e.outcome.Encoded = r.text()
	if r.failed || len(r.rest) > 0 || json.Unmarshal(warnings, &e.outcome.Warnings) != nil {
		return nil, errNoEntry
	}
	return e, nil
}

// entryReader reads numbers and texts until one is cut off.
type entryReader struct {
	rest   []byte
	failed bool
}

func (r *entryReader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *entryReader) text() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
