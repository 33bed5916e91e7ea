package plan

import "bytes"

// indent writes what json.Indent(…, "", "  ") does for JSON without white
// space, in a tenth of the time: json.Indent runs each byte through a parser,
// and JSON that encoding/json just wrote needs none. A test holds the two
// against each other.
func indent(src []byte) []byte { return indentAt(src, 0) }

// indentAt is indent for a value that stands that deep in another.
func indentAt(src []byte, depth int) []byte {
	dst := make([]byte, 0, 3*len(src))
	line := func() {
		dst = append(dst, '\n')
		for range depth {
			dst = append(dst, ' ', ' ')
		}
	}
	for i := 0; i < len(src); i++ {
		switch b := src[i]; b {
		case '"':
			end := i + 1 + stringEnd(src[i+1:])
			dst = append(dst, src[i:end+1]...)
			i = end
		case '{', '[':
			dst = append(dst, b)
			if src[i+1] == b+2 { // ASCII has } two after {, and ] two after [
				dst = append(dst, b+2)
				i++
				continue
			}
			depth++
			line()
		case '}', ']':
			depth--
			line()
			dst = append(dst, b)
		case ',':
			dst = append(dst, b)
			line()
		case ':':
			dst = append(dst, b, ' ')
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

// stringEnd is the index of the quote that ends a JSON string.
func stringEnd(s []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(s[at:], '"') + at
		slashes := 0
		for i-slashes > at && s[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
		at = i + 1
	}
}
