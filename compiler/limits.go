package compiler

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
)

// What CUE would take without end, or die of. People write no such files.
const (
	// maxFile is the size of a file that is read, in bytes.
	maxFile = 32 << 20
	// maxDepth is how deep expressions and fields nest. The parser refuses as
	// much in brackets; `a: a: a: 1` and `1 + 1 + 1` it builds in a loop, and
	// all that comes after it recurses, until the stack's end kills the
	// process.
	maxDepth = 2000
	// shallow is the size in bytes of a file that can't nest that deep.
	shallow = 2 * maxDepth
	// maxDigits and maxExponent are of numbers: reading a long one takes time
	// by the square of its length, and CUE reads an exponent that it can't
	// hold as another number, without a word.
	maxDigits   = 1000
	maxExponent = 1000
)

const nestsDeeper = "the expression nests deeper than %d levels"

// tooLarge is what reading a file over maxFile gives.
type tooLarge struct{ size int64 }

func (e *tooLarge) Error() string {
	return fmt.Sprintf("it has %d MiB, and at most %d are read", e.size>>20, maxFile>>20)
}

// readFile reads a file of the disk, if it is one that ends.
func readFile(name string) ([]byte, error) {
	// Without O_NONBLOCK, opening a pipe waits for its other end.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: name, Err: errNotAFile}
	case info.Size() > maxFile:
		return nil, &fs.PathError{Op: "read", Path: name, Err: &tooLarge{info.Size()}}
	}
	b := make([]byte, info.Size())
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		// It was cut since.
		err = nil
	}
	return b[:n], err
}

// errNotAFile is what reading a pipe, socket or device gives.
var errNotAFile = errors.New("it is no ordinary file")

// notUTF8 finds the first byte that is not UTF-8. CUE's parser says the same, in
// time by the square of how many there are.
func notUTF8(name string, content []byte) error {
	if utf8.Valid(content) {
		return nil
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(content[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	file := token.NewFile(name, -1, len(content))
	file.SetLinesForContent(content)
	return errors.Newf(file.Pos(at, token.NoRelPos), "illegal UTF-8 encoding")
}

// overLimits says where a file nests too deep or holds too large a number.
func overLimits(f *ast.File, content []byte) error {
	if at, deep := tooDeep(f, len(content)); deep {
		return errors.Newf(at, nestsDeeper, maxDepth)
	}
	if !mayHoldLargeNumber(content) {
		return nil
	}
	var err errors.Error
	ast.Walk(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && (lit.Kind == token.INT || lit.Kind == token.FLOAT) && err == nil {
			if why := largeNumber(lit.Value); why != "" {
				err = errors.Newf(lit.Pos(), "%s", why)
			}
		}
		return err == nil
	}, nil)
	if err == nil {
		return nil
	}
	return err
}

// mayHoldLargeNumber looks at a file's bytes alone: nearly no file has an
// exponent of four digits, or that many digits.
func mayHoldLargeNumber(content []byte) bool {
	digits, afterE := 0, false
	for i, c := range content {
		switch {
		case c >= '0' && c <= '9':
			if digits++; digits > maxDigits || afterE && digits >= 4 {
				return true
			}
		case c == '_' && digits > 0:
		case c == 'e' || c == 'E':
			afterE, digits = i > 0 && (digits > 0 || content[i-1] == '.'), 0
		case (c == '+' || c == '-') && afterE && digits == 0:
		default:
			digits, afterE = 0, false
		}
	}
	return false
}

// largeNumber says why a number literal is too large; empty where it is not.
func largeNumber(lit string) string {
	number, exponent := lit, ""
	if base := strings.HasPrefix(lit, "0x") || strings.HasPrefix(lit, "0X"); !base {
		if i := strings.IndexAny(lit, "eE"); i >= 0 {
			number, exponent = lit[:i], strings.TrimLeft(lit[i+1:], "+-")
		}
	}
	switch e, err := strconv.Atoi(strings.ReplaceAll(exponent, "_", "")); {
	case len(number) > maxDigits:
		return fmt.Sprintf("the number has %d digits, and at most %d are read", len(number), maxDigits)
	case exponent != "" && (err != nil || e > maxExponent):
		return fmt.Sprintf("the number's exponent is over %d", maxExponent)
	}
	return ""
}

// tooDeep finds the place where a file nests deeper than maxDepth.
func tooDeep(f *ast.File, size int) (token.Pos, bool) {
	if size < shallow {
		return token.NoPos, false
	}
	depth, at := 0, token.NoPos
	ast.Walk(f, func(n ast.Node) bool {
		if depth >= maxDepth {
			if !at.IsValid() {
				at = n.Pos()
			}
			return false
		}
		depth++
		return true
	}, func(ast.Node) { depth-- })
	return at, at.IsValid()
}
