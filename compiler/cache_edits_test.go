package compiler

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/schema/plan"
)

// edited is a package of lanes with all that one can be made of: files of a
// parent folder, an imported package, embedded files, a vendored schema.
type edited struct {
	t      *testing.T
	random *rand.Rand
	root   string
	// files are what is to be on disk, by path from the root; a content that
	// begins with linkTo is a link.
	files map[string]string
	// before are earlier states, to which edits return.
	before []map[string]string
	// made counts names.
	made int
}

const linkTo = "\x00link "

func newEdited(t *testing.T, random *rand.Rand) *edited {
	e := &edited{t: t, random: random, root: t.TempDir(), files: map[string]string{
		"cue.mod/module.cue": "module: \"example.com/edited\"\nlanguage: version: \"v0.17.0\"\n",
		"top.cue":            "package lanes\n\n_top: \"t\"\n",
		"shared/shared.cue":  "package shared\n\n#Word: \"w\"\n",
		"lanes/lanes.cue":    "package lanes\n\nimport \"github.com/sledtools/pikaci/schema\"\n\nlanes: schema.#Lanes\n",
		"lanes/common.cue":   "package lanes\n\nimport \"example.com/edited/shared\"\n\n_env: {TOP: _top, WORD: shared.#Word}\n",
		"lanes/embed.cue":    "@extern(embed)\n\npackage lanes\n\n_data: _ @embed(file=data.json)\n_texts: _ @embed(glob=more/*.txt,type=text)\n",
		"lanes/data.json":    "{\"seconds\": 10}\n",
		"lanes/more/x.txt":   "x",
	}}
	for range 4 {
		e.addLane()
	}
	return e
}

func (e *edited) addLane() string {
	e.made++
	id := fmt.Sprintf("lane-%d", e.made)
	name := "lanes/" + id + ".cue"
	e.files[name] = fmt.Sprintf(`package lanes

lanes: %[1]q: {
	title:       "check-%[1]s"
	description: "Checks."
	trigger:     %[2]q
	paths: ["src/%[1]s/**"]
	jobs: "job-%[1]s": {
		description: "Runs."
		command: ["true", "10"]
		timeout_secs: _data.seconds
		env: _env
		env: TEXTS: "\(len(_texts))"
	}
}
`, id, e.pick("branch", "branch", "nightly"))
	return "add " + name
}

func (e *edited) pick(from ...string) string { return from[e.random.IntN(len(from))] }

// name picks a file whose path has a prefix and suffix.
func (e *edited) name(prefix, suffix string) string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(e.files)) {
		if strings.HasPrefix(n, prefix) && strings.HasSuffix(n, suffix) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return e.pick(names...)
}

// edit changes the files in one way, and says which.
func (e *edited) edit() string {
	if len(e.before) > 0 && e.random.IntN(3) == 0 {
		// Most edits break something in the end: go back to where it was right.
		e.files = maps.Clone(e.before[e.random.IntN(min(len(e.before), 5))])
		return "go back"
	}
	e.before = append(e.before, maps.Clone(e.files))
	edits := []func() string{
		e.addLane, e.addLane, e.change, e.change, e.change, e.touch, e.remove, e.rename, e.moveShared, e.embedded,
		e.schema, e.module, e.noise, e.link, e.swap,
	}
	return edits[e.random.IntN(len(edits))]()
}

// change puts one digit or word in place of another; the size stays.
func (e *edited) change() string {
	n := e.name("", "")
	if n == "" || strings.HasPrefix(e.files[n], linkTo) {
		return "nothing"
	}
	old, with := e.pick("10", "\"t\"", "\"w\"", "Checks", "branch", "true"), ""
	switch old {
	case "10":
		with = fmt.Sprint(10 + e.random.IntN(90))
	case "branch":
		with = "bronze"
	case "true":
		with = e.pick("tree", "tr e")
	default:
		with = strings.ToUpper(old)
	}
	e.files[n] = strings.Replace(e.files[n], old, with, 1)
	return "change " + n
}

// touch leaves the content alone; write gives other times then.
func (e *edited) touch() string {
	n := e.name("", "")
	at := time.Unix(int64(e.random.IntN(1<<30)), 0)
	_ = os.Chtimes(filepath.Join(e.root, n), at, at)
	return "touch " + n
}

func (e *edited) remove() string {
	n := e.name("lanes/", "")
	delete(e.files, n)
	return "remove " + n
}

func (e *edited) rename() string {
	n := e.name("lanes/lane-", ".cue")
	if n == "" {
		return "nothing"
	}
	e.made++
	to := fmt.Sprintf("lanes/%s%d%s", e.pick("a", "z", "_"), e.made, e.pick(".cue", ".cue", "_test.cue", ".txt"))
	e.files[to] = e.files[n]
	delete(e.files, n)
	return "rename " + n + " to " + to
}

// moveShared moves a definition between the files that may hold it.
func (e *edited) moveShared() string {
	const text = "_top: \"t\"\n"
	places := []string{"top.cue", "lanes/common.cue", "lanes/lanes.cue", "lanes/zz.cue"}
	from, to := e.pick(places...), e.pick(places...)
	if _, ok := e.files[to]; !ok {
		e.files[to] = "package lanes\n\n"
	}
	if strings.Contains(e.files[from], text) {
		e.files[from] = strings.Replace(e.files[from], text, "", 1)
		e.files[to] += text
	}
	return "move from " + from + " to " + to
}

func (e *edited) embedded() string {
	e.made++
	switch e.random.IntN(3) {
	case 0:
		e.files["lanes/data.json"] = fmt.Sprintf("{\"seconds\": %d}\n", 10+e.random.IntN(90))
	case 1:
		e.files[fmt.Sprintf("lanes/more/%d.txt", e.made)] = "more"
	default:
		delete(e.files, e.name("lanes/more/", ".txt"))
	}
	return "embedded"
}

func (e *edited) schema() string {
	const at = "cue.mod/pkg/github.com/sledtools/pikaci/schema/"
	files, err := schemaFiles()
	if err != nil {
		e.t.Fatal(err)
	}
	switch e.random.IntN(4) {
	case 0:
		delete(e.files, e.name(at, ".cue"))
	case 1:
		if n := e.name(at, ".cue"); n != "" {
			e.files[n] = strings.Replace(e.files[n], "e", "E", 1)
		}
	default:
		for n, content := range files {
			e.files[at+n] = string(content)
		}
	}
	return "schema"
}

// module puts another module nearer to the lanes, or takes it away.
func (e *edited) module() string {
	const near = "lanes/cue.mod/module.cue"
	if _, ok := e.files[near]; ok {
		delete(e.files, near)
	} else {
		e.files[near] = e.files["cue.mod/module.cue"]
	}
	return "module"
}

// noise adds what no compile reads, or reads and finds of no use.
func (e *edited) noise() string {
	e.made++
	n := e.pick("lanes/.hidden.cue", "lanes/_x.cue", "lanes/x_tool.cue", "lanes/README", "shared/other.txt", fmt.Sprintf("sub-%d/a.cue", e.made), "other.cue")
	e.files[n] = e.pick("package lanes\n", "package other\n", "{")
	return "noise " + n
}

// link puts a link in place of a file.
func (e *edited) link() string {
	n, to := e.name("lanes/", ""), e.name("", "")
	if n == to || strings.HasPrefix(e.files[to], linkTo) {
		return "nothing"
	}
	e.files[n] = linkTo + filepath.Join(e.root, e.pick(to, to, "nowhere", filepath.Dir(to)))
	return "link " + n + " to " + to
}

// swap changes two files' contents.
func (e *edited) swap() string {
	a, b := e.name("lanes/lane-", ""), e.name("lanes/", ".cue")
	if a != "" && b != "" {
		e.files[a], e.files[b] = e.files[b], e.files[a]
	}
	return "swap " + a + " and " + b
}

// write brings the disk to what it is to be. Every file that it writes has the
// same time, so that times tell nothing.
func (e *edited) write() {
	e.t.Helper()
	err := filepath.WalkDir(e.root, func(at string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(e.root, at)
		if _, keep := e.files[filepath.ToSlash(rel)]; err == nil && !d.IsDir() && !keep {
			return os.Remove(at)
		}
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	for n, content := range e.files {
		at := filepath.Join(e.root, filepath.FromSlash(n))
		target, isLink := strings.CutPrefix(content, linkTo)
		if have, err := os.Readlink(at); err == nil && (!isLink || have != target) {
			os.Remove(at)
		}
		if have, err := os.ReadFile(at); !isLink && err == nil && string(have) == content {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			e.t.Fatal(err)
		}
		if isLink {
			os.Remove(at)
			err = os.Symlink(target, at)
		} else {
			err = os.WriteFile(at, []byte(content), 0o644)
			_ = os.Chtimes(at, time.Unix(1e9, 0), time.Unix(1e9, 0))
		}
		if err != nil {
			e.t.Fatal(err)
		}
	}
}

// dir names the folder in one of several ways.
func (e *edited) dir() string {
	abs := filepath.Join(e.root, "lanes")
	cwd, err := os.Getwd()
	if err != nil {
		e.t.Fatal(err)
	}
	rel, err := filepath.Rel(cwd, abs)
	if err != nil {
		e.t.Fatal(err)
	}
	return e.pick(abs, rel, abs+"/../lanes")
}

func (e *edited) selection() Select {
	switch e.random.IntN(5) {
	case 0:
		return Select{Trigger: plan.Nightly}
	case 1:
		return Select{Lanes: []string{fmt.Sprintf("lane-%d", 1+e.random.IntN(4))}}
	case 2:
		return Select{ByPaths: true, ChangedPaths: []string{fmt.Sprintf("src/lane-%d/a", 1+e.random.IntN(4))}}
	}
	return Select{}
}

// damage spoils a file of the cache, or puts one in the place of another.
func (e *edited) damage(dir string) string {
	entries, _ := os.ReadDir(dir)
	if len(entries) == 0 {
		return "nothing"
	}
	one := filepath.Join(dir, entries[e.random.IntN(len(entries))].Name())
	other := filepath.Join(dir, entries[e.random.IntN(len(entries))].Name())
	b, err := os.ReadFile(one)
	if err != nil || len(b) == 0 {
		return "nothing"
	}
	switch e.random.IntN(3) {
	case 0:
		b[e.random.IntN(len(b))] ^= 1 << e.random.IntN(8)
	case 1:
		b = b[:e.random.IntN(len(b))]
	}
	if err := os.WriteFile(other, b, 0o600); err != nil {
		e.t.Fatal(err)
	}
	return "damage the cache"
}

// sealed gives bytes the head of a file of the cache, with a right sum.
func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return slices.Concat([]byte(entryMagic), sum[:], b)
}
