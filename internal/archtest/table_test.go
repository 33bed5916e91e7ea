package archtest

// module is the import path that all packages of ours begin with.
const module = "github.com/sledtools/pikaci"

// rule is what one package may import in its code. Tests may import the same,
// the packages of testOnly, and what tests names.
type rule struct {
	// pkg is a path from the module's root. One that ends in /... is for the
	// packages below it that have no rule of their own.
	pkg string
	// ours are packages of the module, each a path from its root; with /...
	// those below it too.
	ours []string
	// third are modules of others, each alone or with packages below it.
	third []string
	// not are packages of the standard library that it does without, because
	// of what it promises not to do.
	not []string
	// tests are packages of ours that its tests need beside ours.
	tests []string
}

// pure is what code that neither reads files nor runs nor asks anything does
// without.
var pure = []string{"os", "os/exec", "net", "net/http", "syscall"}

// offline is what code that runs nothing and asks no network does without.
var offline = []string{"os/exec", "net", "net/http"}

// testOnly are modules of others that tests of every package may import, and
// no code may.
var testOnly = []string{"github.com/rogpeppe/go-internal", "github.com/santhosh-tekuri/jsonschema", "pgregory.net/rapid"}

// alone says which third party belongs to one package, so that a rule that is
// loosened by mistake is seen.
var alone = map[string][]string{
	"cuelang.org/go":         {"compiler", "compiler/..."},
	"github.com/lxc/incus":   {"runtime/incus", "runtime/incus/..."},
	"github.com/spf13/pflag": {"cmd/pikaci"},
}

// rules is the table. A package that it does not name is refused.
var rules = []rule{
	// Flags, environment, signals, exit codes, wiring.
	{
		pkg: "cmd/pikaci",
		ours: []string{
			"cmd/pikaci/internal/...", "compiler", "internal/atomicfile", "schema/plan", "schema/plan/draw", "schema/plan/plandiff", "schema/runner",
			"runtime", "runtime/artifact", "runtime/event", "runtime/gc", "runtime/group", "runtime/history", "runtime/host",
			"runtime/incus", "runtime/nix", "runtime/otlp",
			"runtime/payload", "runtime/process", "runtime/record", "runtime/report", "runtime/report/html",
			"runtime/result", "runtime/snapshot",
		},
		third: []string{"github.com/spf13/pflag", "golang.org/x/sys", "golang.org/x/term"},
		tests: []string{"runtime/runtimetest"},
	},
	{pkg: "cmd/pikaci/internal/...", ours: []string{"schema/plan"}},
	{
		pkg:   "cmd/pikaci-guest",
		ours:  []string{"runtime/guest", "runtime/process"},
		third: []string{"github.com/bmatcuk/doublestar"},
		not:   []string{"net", "net/http"},
	},

	// The contract. Both halves import it; it imports neither.
	{pkg: "schema", not: pure},
	{pkg: "schema/plan", not: pure},
	{pkg: "schema/plan/draw", ours: []string{"schema/plan"}, not: pure},
	{pkg: "schema/plan/plandiff", ours: []string{"schema/plan"}, not: pure},
	{pkg: "schema/runner", ours: []string{"schema/plan"}, not: offline},

	// Lane files to a plan.
	{
		pkg:   "compiler",
		ours:  []string{"compiler/...", "internal/atomicfile", "schema", "schema/plan"},
		third: []string{"cuelang.org/go", "github.com/bmatcuk/doublestar"},
		not:   offline,
		tests: []string{"internal/manylanes"},
	},
	{
		pkg:   "compiler/...",
		ours:  []string{"compiler/...", "schema", "schema/plan"},
		third: []string{"cuelang.org/go", "github.com/bmatcuk/doublestar"},
		not:   offline,
	},

	// A plan to a verdict.
	{
		pkg:   "runtime",
		ours:  []string{"runtime/event", "runtime/process", "schema/plan"},
		not:   offline,
		tests: []string{"runtime/record", "runtime/runtimetest"},
	},
	{pkg: "runtime/event", ours: []string{"schema/plan"}, not: pure, tests: []string{"internal/typeschema"}},
	{pkg: "runtime/guest"},
	{pkg: "runtime/process", not: []string{"net", "net/http"}},
	{pkg: "runtime/payload", ours: []string{"runtime/event", "schema/plan"}, not: offline},
	{
		pkg:   "runtime/artifact",
		ours:  []string{"runtime", "runtime/event", "schema/plan"},
		third: []string{"github.com/bmatcuk/doublestar"},
		not:   offline,
	},
	{
		pkg:   "runtime/nix",
		ours:  []string{"internal/atomicfile", "internal/dirlock", "runtime", "runtime/event", "runtime/payload", "runtime/process", "schema/plan"},
		third: []string{"golang.org/x/sys"},
		tests: []string{"runtime/runtimetest"},
	},
	{
		pkg: "runtime/incus",
		ours: []string{
			"internal/atomicfile", "runtime", "runtime/artifact", "runtime/event", "runtime/guest", "runtime/payload",
			"runtime/process", "schema/plan",
		},
		third: []string{"github.com/lxc/incus", "github.com/gorilla/websocket", "golang.org/x/sync", "golang.org/x/sys"},
		tests: []string{"runtime/nix", "runtime/record", "runtime/runtimetest"},
	},
	{pkg: "runtime/incus/internal/...", third: []string{"github.com/lxc/incus", "golang.org/x/sync"}},
	{
		pkg:   "runtime/host",
		ours:  []string{"internal/dirlock", "runtime", "runtime/artifact", "runtime/event", "runtime/process", "runtime/snapshot", "schema/plan"},
		tests: []string{"runtime/runtimetest"},
	},
	{pkg: "runtime/group", not: offline},
	{pkg: "runtime/snapshot", third: []string{"github.com/bmatcuk/doublestar", "golang.org/x/sync", "golang.org/x/sys"}, not: offline},
	{
		pkg:   "runtime/record",
		ours:  []string{"internal/atomicfile", "internal/dirlock", "runtime/event", "schema/plan"},
		third: []string{"github.com/oklog/ulid", "golang.org/x/sys"},
		not:   offline,
		tests: []string{"internal/typeschema"},
	},
	{pkg: "runtime/history", ours: []string{"internal/atomicfile", "runtime/event", "runtime/record"}, not: offline},
	{
		pkg:   "runtime/result",
		ours:  []string{"internal/atomicfile", "runtime", "runtime/artifact", "runtime/event", "runtime/record", "schema/plan"},
		not:   offline,
		tests: []string{"runtime/runtimetest"},
	},
	{
		pkg:   "runtime/gc",
		ours:  []string{"internal/dirlock", "runtime/host", "runtime/incus", "runtime/nix", "runtime/record", "runtime/result"},
		not:   offline,
		tests: []string{"runtime", "runtime/event", "runtime/runtimetest", "schema/plan"},
	},
	{pkg: "runtime/otlp", ours: []string{"runtime/event", "runtime/record", "schema/plan"}, not: []string{"os/exec"}},
	{
		pkg:   "runtime/report",
		ours:  []string{"runtime/event", "runtime/record", "schema/plan"},
		third: []string{"github.com/clipperhouse/displaywidth"},
		not:   offline,
	},
	{
		pkg:  "runtime/report/html",
		ours: []string{"runtime/event", "runtime/record", "runtime/report", "schema/plan", "schema/plan/draw"},
		not:  pure,
	},
	{
		pkg:   "runtime/runtimetest",
		ours:  []string{"runtime", "runtime/event", "runtime/guest", "schema/plan"},
		third: []string{"github.com/gorilla/websocket"},
	},

	// A leaf that both halves use.
	{pkg: "internal/dirlock", not: offline},
	{pkg: "internal/atomicfile", third: []string{"golang.org/x/sys"}, not: offline},

	// Tests only.
	{pkg: "internal/manylanes", ours: []string{"schema"}, not: pure, tests: []string{"compiler", "schema/plan"}},
	{pkg: "internal/manylanes/writelanes", ours: []string{"internal/manylanes"}, not: offline},
	{pkg: "lanes", tests: []string{"compiler", "schema", "schema/plan"}},
	// Schemas of types, for the tests of the packages that publish one.
	{pkg: "internal/typeschema", not: offline},
	{pkg: "internal/archtest"},
	{pkg: "internal/doctest", tests: []string{"runtime/event", "runtime/record", "schema/plan", "schema/runner"}},
}
