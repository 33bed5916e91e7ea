package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/sledtools/pikaci/schema/plan"
)

// Decode reads a runner file's content: strict JSON, nothing after it. The
// version is read before all else.
func Decode(b []byte) (*File, error) {
	if len(b) > maxSize {
		return nil, fmt.Errorf("over %d MiB", maxSize>>20)
	}
	var head struct {
		SchemaVersion *int `json:"schema_version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, plan.SyntaxErrorOf(b, int64(len(b)), err)
	}
	switch v := head.SchemaVersion; {
	case v == nil:
		return nil, fmt.Errorf("no schema_version: this pikaci reads version %d", Version)
	case *v != Version:
		return nil, fmt.Errorf("runner file of another schema version: it has schema version %d, this pikaci reads version %d", *v, Version)
	}
	file := new(File)
	if err := json.Unmarshal(b, file); err != nil {
		return nil, plan.SyntaxErrorOf(b, int64(len(b)), err)
	}
	s := strict{text: b, decoder: json.NewDecoder(bytes.NewReader(b))}
	if err := s.value(reflect.TypeFor[File](), ""); err != nil {
		return nil, err
	}
	if err := file.check(); err != nil {
		return nil, err
	}
	return file, nil
}

// strict walks JSON that was decoded well, and refuses what encoding/json lets
// pass: names that it does not know or knows in another case, and names that
// stand twice, of which it keeps the last. A ceiling that is not read as it
// was meant is none. json.Decoder's own check says neither line nor path.
type strict struct {
	text    []byte
	decoder *json.Decoder
}

func (s *strict) value(t reflect.Type, path string) error {
	token, err := s.decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return s.object(t, path)
	case json.Delim('['):
		for s.decoder.More() {
			if err := s.value(t.Elem(), path); err != nil {
				return err
			}
		}
		_, err = s.decoder.Token()
	}
	return err
}

func (s *strict) object(t reflect.Type, path string) error {
	seen := make(map[string]bool)
	for s.decoder.More() {
		token, err := s.decoder.Token()
		if err != nil {
			return err
		}
		name := token.(string)
		full := strings.TrimPrefix(path+"."+name, ".")
		below, known := member(t, name)
		// The decoder stands behind the name and its quote.
		at := s.decoder.InputOffset() - int64(len(name)) - 1
		switch {
		case !known:
			return plan.SyntaxErrorAt(s.text, at, fmt.Sprintf("unknown field %q", full))
		case seen[name]:
			return plan.SyntaxErrorAt(s.text, at, full+" stands there twice")
		}
		seen[name] = true
		if err := s.value(below, full); err != nil {
			return err
		}
	}
	_, err := s.decoder.Token()
	return err
}

// member is the type of what a struct or map holds under the name.
func member(t reflect.Type, name string) (below reflect.Type, known bool) {
	if t.Kind() == reflect.Map {
		return t.Elem(), true
	}
	for f := range t.Fields() {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return f.Type, true
		}
	}
	return nil, false
}
