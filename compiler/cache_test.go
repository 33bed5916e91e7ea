package compiler

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
)

var (
	cacheEdits = flag.Int("cache.edits", 150, "how many edits TestCacheIsNeverWrong makes")
	cacheSeed  = flag.Uint64("cache.seed", 0, "seed of its edits; 0: another each time")
)

// TestCacheIsNeverWrong edits a package at random, and compiles it with the
// cache and without after each edit: plan, warnings and mistakes are the same.
// scripts/cache-soak makes ten thousand edits.
func TestCacheIsNeverWrong(t *testing.T) {
	seed := *cacheSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-cache.seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	e := newEdited(t, random)
	cache := OpenCache(filepath.Join(t.TempDir(), "cache"), "this test", nil)
	right, hits := 0, 0
	for i := range *cacheEdits {
		did := e.edit()
		e.write()
		if random.IntN(8) == 0 {
			did += ", " + e.damage(cache.dir)
		}
		dir, sel := e.dir(), e.selection()
		want, wantErr := (*Cache)(nil).Compile(dir, DefaultBudget(), sel)
		for range 2 {
			got, err := cache.Compile(dir, DefaultBudget(), sel)
			if !reflect.DeepEqual(err, wantErr) || !sameCompiled(got, want) {
				t.Fatalf("edit %d, %s: from the cache\n%s\nanew\n%s", i, did, shown(got, err), shown(want, wantErr))
			}
			if err != nil {
				break
			}
			right++
			if got.keep == nil {
				hits++
			}
			got.Keep()
		}
	}
	// Every second compile at least is one of what was just compiled. A package
	// that an edit breaks stays broken until another mends it.
	if right < *cacheEdits/8 || hits < right/2 {
		t.Errorf("of %d edits, %d compiles were right and %d from the cache: too few to tell", *cacheEdits, right, hits)
	}
	t.Logf("%d compiles were right, %d of them from the cache", right, hits)
}

func sameCompiled(a, b *Compiled) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(a.Encoded, b.Encoded) && a.Chosen == b.Chosen &&
		(len(a.Warnings) == 0 && len(b.Warnings) == 0 || reflect.DeepEqual(a.Warnings, b.Warnings))
}

// shown is an outcome as a failure of the test shows it.
func shown(c *Compiled, err error) string {
	if c == nil {
		return fmt.Sprint(err)
	}
	return fmt.Sprintf("%s\n%v %v", c.Encoded, c.Warnings, err)
}

// TestCacheLooksAtAllThatCounts edits one thing after the other of which an
// outcome is made in a less common way.
func TestCacheLooksAtAllThatCounts(t *testing.T) {
	e := newEdited(t, rand.New(rand.NewPCG(1, 1)))
	cache := OpenCache(t.TempDir(), "this test", []string{"CUE_EXPERIMENT=a"})
	compile := func(c *Cache) *Compiled {
		t.Helper()
		e.write()
		out, err := c.Compile(filepath.Join(e.root, "lanes"), DefaultBudget(), Select{})
		if err != nil {
			t.Fatal(err)
		}
		out.Keep()
		return out
	}
	wantAnew := func(what string, c *Cache, anew bool) {
		t.Helper()
		if out := compile(c); (out.keep != nil) != anew {
			t.Errorf("%s: compiled anew: %v, want %v", what, out.keep != nil, anew)
		}
	}
	wantAnew("the first time", cache, true)
	wantAnew("the second time", cache, false)
	wantAnew("another program", OpenCache(cache.dir, "another", []string{"CUE_EXPERIMENT=a"}), true)
	wantAnew("another CUE_ variable", OpenCache(cache.dir, "this test", []string{"CUE_EXPERIMENT=b"}), true)
	wantAnew("a variable that does not count", OpenCache(cache.dir, "this test", []string{"CUE_EXPERIMENT=a", "TERM=a"}), false)
	for _, name := range []string{
		"lanes/data.json", "lanes/more/x.txt", "top.cue", "shared/shared.cue", "cue.mod/module.cue", "lanes/common.cue",
	} {
		e.files[name] += " "
		if filepath.Ext(name) == ".cue" {
			e.files[name] += "// more"
		}
		wantAnew(name, cache, true)
		wantAnew(name+" again", cache, false)
	}
	e.files["lanes/more/y.txt"] = "y"
	wantAnew("a new embedded file", cache, true)
	e.files["lanes/cue.mod/other"] = ""
	wantAnew("a folder like a module's", cache, true)
	e.files["lanes/cue.mod/module.cue"] = e.files["cue.mod/module.cue"]
	e.write()
	if _, err := cache.Compile(filepath.Join(e.root, "lanes"), DefaultBudget(), Select{}); err == nil {
		t.Error("a module that is nearer is not seen")
	}
	delete(e.files, "lanes/cue.mod/module.cue")
	e.files["cue.mod/pkg/github.com/sledtools/pikaci/schema/lane.cue"] = "package schema\n"
	e.write()
	if _, err := cache.Compile(filepath.Join(e.root, "lanes"), DefaultBudget(), Select{}); err == nil {
		t.Error("another schema on disk is not seen")
	}
}

// TestCacheLooksForAModule has a module appear far above a folder that had none:
// the plan's sources are other ones.
func TestCacheLooksForAModule(t *testing.T) {
	root := writeTree(t, map[string][]byte{"a/b/lanes/lanes.cue": []byte("package lanes\n\nimport \"github.com/sledtools/pikaci/schema\"\n\n" +
		"lanes: schema.#Lanes\nlanes: x: {title: \"x\", description: \"x\", jobs: \"x\": {description: \"x\", command: [\"true\"]}}\n")})
	cache := OpenCache(t.TempDir(), "this test", nil)
	var before []byte
	for _, anew := range []bool{true, false} {
		out, err := cache.Compile(filepath.Join(root, "a/b/lanes"), DefaultBudget(), Select{})
		if err != nil || (out.keep != nil) != anew {
			t.Fatalf("compiled anew: %v, want %v; %v", out.keep != nil, anew, err)
		}
		out.Keep()
		before = out.Encoded
	}
	writeInto(t, root, map[string][]byte{"cue.mod/module.cue": []byte("module: \"example.com/x\"\nlanguage: version: \"v0.17.0\"\n")})
	out, err := cache.Compile(filepath.Join(root, "a/b/lanes"), DefaultBudget(), Select{})
	if err != nil || bytes.Equal(out.Encoded, before) {
		t.Errorf("the module is not seen: %v", err)
	}
}

// TestCacheSideBySide has compiles of two states of a package write and read
// the same files of the cache at once.
func TestCacheSideBySide(t *testing.T) {
	e := newEdited(t, rand.New(rand.NewPCG(1, 1)))
	e.write()
	dir := filepath.Join(e.root, "lanes")
	want, err := (*Cache)(nil).Compile(dir, DefaultBudget(), Select{})
	if err != nil {
		t.Fatal(err)
	}
	cacheDir := t.TempDir()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			cache := OpenCache(cacheDir, "this test", nil)
			for i := range 10 {
				if i%3 == worker%3 {
					os.RemoveAll(filepath.Join(cacheDir))
				}
				got, err := cache.Compile(dir, DefaultBudget(), Select{})
				if err != nil || !sameCompiled(got, want) {
					t.Errorf("worker %d: %v", worker, err)
					return
				}
				got.Keep()
			}
		})
	}
	all.Wait()
}

// TestCachePrunes keeps the cache small, and what was used last.
func TestCachePrunes(t *testing.T) {
	cache := OpenCache(t.TempDir(), "this test", nil)
	for i := range maxCacheFiles + 10 {
		key := fmt.Sprint(i)
		cache.store(key, newLooks(), &Compiled{Encoded: []byte(key)})
		long := time.Now().Add(time.Duration(i-1000) * time.Hour)
		if err := os.Chtimes(cache.file(key), long, long); err != nil {
			t.Fatal(err)
		}
		// It is read, and so is kept.
		if cache.lookUp("0") == nil {
			t.Fatalf("after %d files, the one in use is gone", i+1)
		}
	}
	entries, err := os.ReadDir(cache.dir)
	if err != nil || len(entries) > maxCacheFiles {
		t.Errorf("%d files, at most %d: %v", len(entries), maxCacheFiles, err)
	}
	if cache.lookUp("3") != nil {
		t.Error("a file that was not used for long is still there")
	}
}

// FuzzCache reads anything as a file of the cache: it is one that encode wrote,
// or none.
func FuzzCache(f *testing.F) {
	for _, e := range []entry{
		{},
		{key: "k", outcome: Compiled{Encoded: []byte("{}"), Chosen: true}},
		{key: "k", seen: []sighting{{look{statLook, "/a"}, absent}, {look{readDirLook, "/a"}, "\x00"}},
			outcome: Compiled{Warnings: Diagnostics{{Severity: Warning, Position: Position{File: "a", Line: 1, Column: 2}, Message: "m"}}}},
	} {
		b, err := e.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
		f.Add(b[len(entryMagic)+32:], true)
		f.Add(b[:len(b)-1], false)
	}
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			// With a right sum, what comes after it is reached.
			b = sealed(b)
		}
		e, err := decodeEntry(b)
		if err != nil {
			return
		}
		again, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeEntry(again)
		if err != nil || back.key != e.key || len(back.seen) != len(e.seen) || !bytes.Equal(back.outcome.Encoded, e.outcome.Encoded) {
			t.Fatalf("%+v\ncomes back as %+v: %v", e, back, err)
		}
	})
}
