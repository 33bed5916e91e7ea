package runner

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
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
		return nil, located(b, err)
	}
	switch v := head.SchemaVersion; {
	case v == nil:
		return nil, fmt.Errorf("no schema_version: this pikaci reads version %d", Version)
	case *v != Version:
		return nil, fmt.Errorf("schema_version is %d: this pikaci reads version %d", *v, Version)
	}
	file := new(File)
	if err := json.Unmarshal(b, file); err != nil {
		return nil, located(b, err)
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

// located says in which line encoding/json met an error.
func located(b []byte, err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: not JSON: %w", lineAt(b, syntax.Offset), err)
	case errors.As(err, &typ):
		return fmt.Errorf("line %d: %s: want %s, found %s", lineAt(b, typ.Offset),
			cmp.Or(typ.Field, "the file"), jsonKind(typ.Type), typ.Value)
	}
	return err
}

// jsonKind is what JSON calls a type of a File.
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

// lineAt is the line of the byte that ends at the offset.
func lineAt(b []byte, offset int64) int {
	end := max(0, min(int64(len(b)), offset)-1)
	return 1 + bytes.Count(b[:end], []byte("\n"))
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
		switch line := lineAt(s.text, s.decoder.InputOffset()); {
		case !known:
			return fmt.Errorf("line %d: unknown field %s", line, full)
		case seen[name]:
			return fmt.Errorf("line %d: %s stands there twice", line, full)
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
