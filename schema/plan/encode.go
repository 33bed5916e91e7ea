package plan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// MaxSize is the largest plan that Decode reads, in bytes.
const MaxSize = 64 << 20

// Errors that a caller may ask for with errors.Is.
var (
	// ErrVersion means that the plan is of another schema version.
	ErrVersion = errors.New("plan of another schema version")
	// ErrDigest means that the plan is not the one that was compiled.
	ErrDigest = errors.New("plan was changed after it was compiled")
)

// Seal sets the schema version and the digest. It is the last step of making a
// plan.
func (p *Plan) Seal() error {
	p.SchemaVersion = Version
	d, err := p.computeDigest()
	if err != nil {
		return err
	}
	p.Digest = d
	return nil
}

// SealAndEncode is Seal and then Encode, with the work of one of them: nearly
// all of a plan's encoding is what its digest is of.
func SealAndEncode(p *Plan) ([]byte, error) {
	p.SchemaVersion = Version
	canonical, digest, err := p.canonical()
	if err != nil {
		return nil, err
	}
	p.Digest = digest
	head, err := Encode(&Plan{SchemaVersion: p.SchemaVersion, Digest: p.Digest, Sources: p.Sources})
	if err != nil {
		return nil, err
	}
	// Both go on alike after the sources.
	const next = "\n  \"selection\": {"
	head, _, _ = bytes.Cut(head, []byte(next))
	_, rest, _ := bytes.Cut(canonical, []byte(next))
	return slices.Concat(head, []byte(next), rest), nil
}

// Encode gives the plan's one encoding: JSON, two spaces, a final newline.
func Encode(p *Plan) ([]byte, error) {
	head := *p
	head.Lanes, head.Jobs, head.Nodes = nil, nil, nil
	b, err := compact(&head)
	if err != nil {
		return nil, err
	}
	// What may be long is encoded side by side.
	lanes, jobs, nodes := encodeList(p.Lanes), encodeList(p.Jobs), encodeList(p.Nodes)
	b, cut := bytes.CutSuffix(indent(b), []byte(",\n  \"lanes\": null,\n  \"jobs\": null,\n  \"nodes\": null\n}\n"))
	if !cut {
		panic("BUG: a plan ends in other fields than lanes, jobs and nodes")
	}
	out := [][]byte{b}
	for _, list := range []struct {
		name string
		wait func() ([][]byte, error)
	}{{"lanes", lanes}, {"jobs", jobs}, {"nodes", nodes}} {
		pieces, err := list.wait()
		if err != nil {
			return nil, err
		}
		out = append(append(out, []byte(",\n  \""+list.name+"\": ")), pieces...)
	}
	return slices.Concat(append(out, []byte("\n}\n"))...), nil
}

// compact is a value as JSON in one line.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode plan: %w", err)
	}
	return b.Bytes(), nil
}

// pieceSize is how many elements of a list are encoded at a time.
const pieceSize = 200

// encodeList encodes a list of a plan in pieces, side by side; wait gives them
// in order.
func encodeList[T any](list []T) (wait func() ([][]byte, error)) {
	if len(list) <= pieceSize {
		return func() ([][]byte, error) {
			b, err := compact(list)
			return [][]byte{indentAt(bytes.TrimSuffix(b, []byte("\n")), 1)}, err
		}
	}
	n := (len(list) + pieceSize - 1) / pieceSize
	pieces, errs := make([][]byte, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var b []byte
			b, errs[i] = compact(list[i*pieceSize : min((i+1)*pieceSize, len(list))])
			b = indentAt(bytes.TrimSuffix(b, []byte("\n")), 1)
			// One list: the brackets of the others go.
			if i > 0 {
				b = bytes.Replace(b, []byte("["), []byte(","), 1)
			}
			if i < n-1 {
				b = bytes.TrimSuffix(b, []byte("\n  ]"))
			}
			pieces[i] = b
		})
	}
	return func() ([][]byte, error) {
		all.Wait()
		return pieces, errors.Join(errs...)
	}
}

// Decode reads a plan and checks it whole: version, fields, encoding, digest
// and Check. Nothing may run from a plan that did not come from here.
func Decode(b []byte) (*Plan, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("plan is over %d MiB", MaxSize>>20)
	}
	if err := checkVersion(b); err != nil {
		return nil, err
	}
	p := new(Plan)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, SyntaxErrorOf(b, d.InputOffset(), err)
	}
	if err := p.checkDigest(); err != nil {
		return nil, err
	}
	// encoding/json matches names without case and keeps the last of
	// duplicate keys; only what comes out the same went in clean.
	again, err := Encode(p)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		line, column := firstDifference(b, again)
		return nil, &SyntaxError{Line: line, Column: column,
			Problem: "not written as pikaci compile writes it"}
	}
	if err := Check(p); err != nil {
		return nil, err
	}
	return p, nil
}

// SyntaxError is a plan that is not well-formed, with where.
type SyntaxError struct {
	// Line and Column count from 1; Column counts bytes.
	Line, Column int
	Problem      string
}

// Error gives line:column: problem.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Problem)
}

func checkVersion(b []byte) error {
	var head struct {
		SchemaVersion *int `json:"schema_version"`
	}
	// Only the syntax and this one field matter here.
	if err := json.Unmarshal(b, &head); err != nil {
		return SyntaxErrorOf(b, int64(len(b)), err)
	}
	switch {
	case head.SchemaVersion == nil:
		return &SyntaxError{1, 1, "no schema_version: not a pikaci plan"}
	case *head.SchemaVersion != Version:
		return fmt.Errorf("%w: it has schema version %d, this pikaci reads version %d",
			ErrVersion, *head.SchemaVersion, Version)
	}
	return nil
}

func (p *Plan) checkDigest() error {
	want, err := p.computeDigest()
	if err != nil {
		return err
	}
	if p.Digest != want {
		return fmt.Errorf("%w: its digest says %.19s…, its content gives %.19s…", ErrDigest, p.Digest, want)
	}
	return nil
}

func (p *Plan) computeDigest() (string, error) {
	_, digest, err := p.canonical()
	return digest, err
}

// canonical is the encoding without digest and sources, and its digest.
func (p *Plan) canonical() (b []byte, digest string, err error) {
	c := *p
	c.Digest, c.Sources = "", nil
	if b, err = Encode(&c); err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(b)
	return b, "sha256:" + hex.EncodeToString(sum[:]), nil
}

// SyntaxErrorOf turns an error of encoding/json about b into one with line and
// column. offset is how far the decoder came.
func SyntaxErrorOf(b []byte, offset int64, err error) *SyntaxError {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	problem := err.Error()
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
		if offset >= int64(len(bytes.TrimRight(b, " \t\r\n"))) {
			problem = "ends in the middle: the file is cut off"
			if len(bytes.TrimSpace(b)) == 0 {
				problem = "empty"
			}
		} else {
			problem = "not JSON: " + syntax.Error()
		}
	case errors.As(err, &typ):
		offset = typ.Offset
		problem = fmt.Sprintf("%s: want %s, found %s", cmp.Or(typ.Field, "the file"), jsonKind(typ.Type), typ.Value)
	case errors.Is(err, io.EOF):
		problem = "empty"
	default:
		// encoding/json has no type for an unknown field, and its offset is
		// past the end of the object that holds it.
		if field, ok := strings.CutPrefix(problem, "json: unknown field "); ok {
			problem = "unknown field " + field
			if i := bytes.Index(b, []byte(field+":")); i >= 0 {
				offset = int64(i) + 1
			}
		}
	}
	return SyntaxErrorAt(b, offset, problem)
}

// jsonKind is what JSON calls a type of Go.
func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Slice:
		return "array"
	case reflect.Int, reflect.Int64:
		return "whole number"
	}
	return t.Kind().String() // string, bool
}

// SyntaxErrorAt is a problem at an offset in b, counted from 1.
func SyntaxErrorAt(b []byte, offset int64, problem string) *SyntaxError {
	line, column := position(b, offset)
	return &SyntaxError{Line: line, Column: column, Problem: problem}
}

func firstDifference(a, b []byte) (line, column int) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return position(a, int64(i)+1)
}

// position turns an offset, counted from 1 as encoding/json does, into line
// and column.
func position(b []byte, offset int64) (line, column int) {
	offset = max(1, min(offset, int64(len(b))))
	before := b[:max(0, min(int64(len(b)), offset-1))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}
