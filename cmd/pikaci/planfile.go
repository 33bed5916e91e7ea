package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/schema/plan"
	"github.com/sledtools/pikaci/schema/plan/plandiff"
)

// maxDifferences is how many lines say what differs before the rest is a
// number.
const maxDifferences = 20

// writeFile makes b the content of the file at path, whole or not at all, and
// leaves an equal file alone, so that what watches it stays quiet.
func writeFile(path string, b []byte) error {
	path = followed(path)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("write %s: %w", path, bare(err))
	case info.IsDir():
		return usage("", "-o %s is a folder", path)
	case !info.Mode().IsRegular():
		// A device or pipe is written to; to replace it would break it.
		return writeInto(path, b)
	default:
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
			return nil
		}
	}
	if err := atomicfile.WriteSynced(path, b, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, bare(err))
	}
	return nil
}

// followed is where a link leads, be there a file or not: a link stays one, and
// what it names is replaced.
func followed(path string) string {
	const maxLinks = 40
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return path
}

func writeInto(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write(b)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, bare(err))
	}
	return nil
}

// bare is an error of the file system without the operation and path, which
// the words around it say.
func bare(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

// checkFile compares the file at path with what would be written to it: b, the
// encoding of the plan in one of compile's formats.
func checkFile(path, format string, of func() (*plan.Plan, error), b []byte, rewrite string) error {
	hint := "write it: " + rewrite
	have, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return invalid(hint, "%s: no such file", path)
	case err != nil:
		return fmt.Errorf("read %s: %w", path, bare(err))
	case bytes.Equal(have, b):
		return nil
	}
	var lines []string
	if format == formatPlan {
		p, err := of()
		if err != nil {
			return err
		}
		lines = differences(have, p)
	} else {
		// What can't be compared is told by unlike.
		lines, _ = plandiff.Documents(have, b)
	}
	if len(lines) == 0 {
		return invalid(hint, "%s%s", path, unlike(have))
	}
	var text strings.Builder
	for i, line := range lines {
		if i == maxDifferences {
			fmt.Fprintf(&text, "\n    and %d more lines", len(lines)-i)
			break
		}
		fmt.Fprintf(&text, "\n    %s", line)
	}
	return invalid(hint, "%s is not the plan of these lane files and this selection:%s", path, text.String())
}

// differences says how a plan file differs from a plan. A file that was edited
// by hand is compared all the same; one that is no plan of this version differs
// in nothing that could be named.
func differences(have []byte, p *plan.Plan) []string {
	old := new(plan.Plan)
	if err := json.Unmarshal(have, old); err != nil || old.SchemaVersion != p.SchemaVersion {
		return nil
	}
	return plandiff.Compare(old, p).Text()
}

// unlike says what is wrong with a file that differs from the plan in nothing
// that a plan says.
func unlike(have []byte) string {
	_, err := plan.Decode(have)
	var syntax *plan.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return ":" + err.Error()
	case err != nil:
		return ": " + err.Error()
	}
	return " says the same as the plan, but is not written the same way"
}
