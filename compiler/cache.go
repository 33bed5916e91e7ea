package compiler

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sledtools/pikaci/internal/atomicfile"
	"github.com/sledtools/pikaci/schema/plan"
)

// What a cache may hold; the files that were used longest ago go first.
const (
	maxCacheFiles = 64
	maxCacheBytes = 256 << 20
)

// Cache keeps outcomes of compiles, each in a file of its own, with all that
// was seen of the disk to come to it. An outcome is given again where all of
// that is seen again, and never else: times and sizes are not trusted, every
// file is read and every folder listed. Mistakes are not kept.
//
// A nil Cache keeps nothing.
type Cache struct {
	dir string
	// program is the identity of the program, which holds compiler and schema.
	program string
	// env are the variables that CUE or Go read.
	env []string
}

// OpenCache gives the cache in a folder, for a program of this identity. Its
// files are made when there is something to keep; nil where either is not
// known.
func OpenCache(dir, program string, env []string) *Cache {
	if dir == "" || program == "" {
		return nil
	}
	c := &Cache{dir: dir, program: program}
	for _, pair := range env {
		if strings.HasPrefix(pair, "CUE_") || strings.HasPrefix(pair, "GODEBUG=") {
			c.env = append(c.env, pair)
		}
	}
	slices.Sort(c.env)
	return c
}

// Compiled is the outcome of a compile without mistakes.
type Compiled struct {
	// Encoded is the plan as plan.Encode gives it.
	Encoded []byte
	// Chosen says whether any lane is.
	Chosen bool
	// Warnings change no plan.
	Warnings Diagnostics

	plan *plan.Plan
	// keep is what a cache needs to give it again; nil where it did.
	keep func()
}

// Plan is the plan as data.
func (c *Compiled) Plan() (*plan.Plan, error) {
	if c.plan != nil {
		return c.plan, nil
	}
	return plan.Decode(c.Encoded)
}

// Keep puts the outcome into the cache that it was compiled with. That it could
// not be kept is no error.
func (c *Compiled) Keep() {
	if c.keep != nil {
		c.keep()
	}
}

// Compile gives the plan of a selection of the lane files in dir, from the cache
// if it can. Its errors are those of Load and of Catalogue.Compile.
func (c *Cache) Compile(dir string, b Budget, sel Select) (*Compiled, error) {
	key, keyed := c.key(dir, sel)
	if keyed {
		if found := c.lookUp(key); found != nil {
			return found, nil
		}
	}
	catalogue, err := LoadWithin(dir, b)
	if err != nil {
		return nil, err
	}
	out, err := catalogue.Compiled(sel)
	if err == nil && keyed && !catalogue.looks.changed {
		out.keep = func() { c.store(key, catalogue.looks, out) }
	}
	return out, err
}

// Compiled is Compile with what else a compile has to say.
func (c *Catalogue) Compiled(sel Select) (*Compiled, error) {
	p, encoded, err := c.CompileAndEncode(sel)
	if err != nil {
		return nil, err
	}
	chosen := slices.ContainsFunc(p.Lanes, func(l plan.Lane) bool { return l.Chosen })
	return &Compiled{Encoded: encoded, Chosen: chosen, Warnings: c.warnings, plan: p}, nil
}

// key says in text all that an outcome depends on beside the disk: messages
// name files as seen from the working directory.
func (c *Cache) key(dir string, sel Select) (string, bool) {
	if c == nil {
		return "", false
	}
	cwd, err := os.Getwd()
	if err != nil {
		return "", false
	}
	abs, err := filepath.Abs(dir)
	return fmt.Sprintf("%q %q %q %q %q %q %q %q %t %q", c.program, c.env, cwd, dir, abs,
		sel.Lanes, sel.Job, sel.Trigger, sel.ByPaths, sel.ChangedPaths), err == nil
}

func (c *Cache) file(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(c.dir, hex.EncodeToString(sum[:16]))
}

// lookUp gives nil for what is not there, damaged, of another key, or no longer
// true.
func (c *Cache) lookUp(key string) *Compiled {
	name := c.file(key)
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	e, err := decodeEntry(b)
	if err != nil || e.key != key || !stillTrue(e.seen) {
		return nil
	}
	c.touch(name)
	return &e.outcome
}

// touch says that a file was used, once a day: pruning goes by that.
func (c *Cache) touch(name string) {
	const day = 24 * time.Hour
	if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > day {
		now := time.Now()
		_ = os.Chtimes(name, now, now)
	}
}

// store writes the file whole or not at all: two compiles at once may write and
// read the same.
func (c *Cache) store(key string, l *looks, out *Compiled) {
	e := entry{key: key, outcome: *out}
	for at, found := range l.seen {
		e.seen = append(e.seen, sighting{at, found})
	}
	b, err := e.encode()
	if err != nil || len(b) > maxCacheBytes/4 || os.MkdirAll(c.dir, 0o700) != nil {
		return
	}
	if err := atomicfile.Write(c.file(key), b, 0o600); err != nil {
		return
	}
	c.prune()
}

// prune removes the files that were used longest ago until the rest is small
// enough; those of writers that were killed grow old like all others.
func (c *Cache) prune() {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	bytes := int64(0)
	for i, info := range files {
		bytes += info.Size()
		if i >= maxCacheFiles || bytes > maxCacheBytes {
			_ = os.Remove(filepath.Join(c.dir, info.Name()))
		}
	}
}
