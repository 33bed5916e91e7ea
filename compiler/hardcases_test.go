package compiler

import (
	"fmt"
	"strings"
)

// hardCase are lane files beside the implied ones, and what is said of them:
// a pattern of the first diagnostic's message, or nothing where they are good.
type hardCase struct{ name, files, want string }

// over is said of what spends the budget.
const over = `took over|nests too deep`

// hardCases are written after the kinds of trouble that CUE's issue tracker
// tells of, none after the letter.
func hardCases() []hardCase {
	return []hardCase{
		// Structures that hold themselves.
		{"cycle of structs", said1(`_t: {name: "x", below: _t}`, `_t.name`), `the field holds itself, without end`},
		{"cycle by a list", said1(`_t: {name: "x", all: [_t]}`, `_t.name`), `the field holds itself, without end`},
		{"cycle by a pattern", said1(`#T: {name: "x", [=~"^x"]: #T, xa: #T}`, `#T.name`), `the field holds itself, without end`},
		{"cycle that data ends", said1("#T: {name: \"x\", below?: #T}\n_v: #T & {below: below: below: {}}", `_v.below.below.name`), ``},
		{"cycle by embedding", said1(`_t: {name: "x", b: {_t}}`, `_t.name`), `the field holds itself, without end`},
		{"cycle by a selector of an embedding", said1(`_t: b: c: {_t}.b`, `_t.b.c`), `the field holds itself, without end`},
		{"cycle by a selector deeper", said1(`_t: b: c: d: {f: _t.b}.f.c`, `_t.b.c`), over},
		{"cycle by a comprehension", said1(`_t: {for k, v in _t {"\(k)x": v}, a: 1}`, `"\(len(_t))"`), `field ax is added to a struct by going through its own fields`},
		{"cycle by two comprehensions", said1("_a: {for k, v in _b {\"\\(k)\": v}, x: 1}\n_b: {for k, v in _a {\"\\(k)\": v}, y: 1}", `"\(len(_a))"`), `field y is added to a struct by going through its own fields`},
		{"cycle by a condition", said1(`_t: {if _t.a == _|_ {a: 1}}`, `"\(len(_t))"`), `invalid interpolation: cyclic reference to field a`},
		{"cycle by a computed field", said1(`_t: {a: "b", (_t.a): "c", (_t.b): "d"}`, `_t.c`), ``},
		{"cycle by a computed field of itself", said1(`_t: {(_t.a): "a"}`, `_t.a`), `description of lane a has no value: it is made from a field that has n`},
		{"cycle by let", said1("_t: {let x = y\n let y = x\n v: x}", `_t.v`), `cyclic references in let clause or alias`},
		{"let of itself", said1("_t: {let x = x + 1\n v: x}", `"\(_t.v)"`), `nothing is named x`},
		{"let in a recursive definition", said1("#F: {n: int, let m = n - 1, r: #F & {n: m}}\n_v: #F & {n: 3}", `"\(_v.n)"`), `it is made from a field that holds itself, without end`},
		{"two lanes of each other", "-- lanes/a.cue --\npackage lanes\n\n" + lane("a", "lanes.b.title") + lane("b", "lanes.a.title"), ``},
		{"unification of itself", said1("_a: _b & {x: 1}\n_b: _a & {y: 1}", `"\(_a.x)"`), ``},
		{"arithmetic cycle", said1("_a: _b + 1\n_b: _a - 1", `"\(_a)"`), `invalid interpolation: a field that is made from itself, by way of _b`},
		{"arithmetic cycle with a value", said1("_a: _b + 1\n_b: _a - 1\n_b: 2", `"\(_a)"`), ``},

		// Disjunctions.
		{"a disjunct of itself", said1(`_t: {a: "1"} | {b: (_t & {}).b}`, `(_t & {a: "1"}).a`), ``},
		{"a disjunction times 0", said1("_a: {b: 0 | 1, b, b * 0}", `"\(_a)"`), `evaluating field _a makes CUE fail: runtime error: invalid`},
		{"a disjunction times 0 at the top", said1("_b: 0 | 1\n_b\n_b * 0", `"d"`), `evaluating the file makes CUE fail: runtime error: invalid`},
		{"an operand of a disjunction embedded", said1("_a: {0 | 1\n _a * 0}", `"\(_a)"`), `invalid interpolation`},
		{"a product of its own disjunction", said1("_a: 0 | 1\n_b: {_a, _a * 0}", `"\(_b)"`), `description of lane a has no value: it is made from a field that has n`},
		{"recursive disjunction in a struct", said1(wrappedRecursion(12), `"\(len((#T & {t: "r1"}).out))"`), over},
		{"defaults of defaults", said1(nestedDefaults(24), `_d24`), ``},
		{"defaults side by side", said1(sideDefaults(16), `_x.p0`), ``},
		{"disjunctions multiplied", said1(multiplied(14), `_y.p0`), over},
		{"disjunction of 5000", said1("_d: "+joined(5000, " | ", func(i int) string { return fmt.Sprintf("%q", fmt.Sprint("v", i)) }), `_d & "v4999"`), `nests`},
		{"disjunctions of 300 unified", said1("_d: "+joined(300, " | ", func(i int) string { return fmt.Sprintf("{a%d: 1}", i) })+"\n_e: _d & _d", `"\(len(_e))"`), `description of lane a has no value: it is made from a field that has n`},
		{"disjunction of lists that grow", said1("_l: [..._l] | string\n_v: _l & [[[[[[\"x\"]]]]]]", `_v[0][0][0][0][0][0]`), ``},

		// Many of something.
		{"n squared", said1("import \"list\"\n_l: list.Range(0, 20000, 1)\n_m: [for a in _l for b in _l {a + b}]", `"\(len(_m))"`), over},
		{"n cubed by structs", said1("import \"list\"\n_l: list.Range(0, 600, 1)\n_m: {for a in _l for b in _l for c in _l {\"\\(a).\\(b).\\(c)\": 1}}", `"\(len(_m))"`), over},
		{"patterns over fields", said1(patterns(400, 400), `"\(len(_p))"`), ``},
		{"recursion that doubles", said1("#T: {n: int, if n > 0 {l: #T & {\"n\": n - 1}, r: #T & {\"n\": n - 1}}}\n_z: #T & {n: 30}", `"\(_z.n)"`), `the field holds itself, without end`},
		{"recursion without end", said1("#T: {n: int, b: (#T & {\"n\": n + 1}).b}\n_z: #T & {n: 0}", `"\(_z.b)"`), `the field holds itself, without end`},
		{"fibonacci", said1("#F: {n: int, out: int, if n < 2 {out: n}, if n >= 2 {out: (#F & {\"n\": n - 1}).out + (#F & {\"n\": n - 2}).out}}\n_z: (#F & {n: 40}).out", `"\(_z)"`), `the field holds itself, without end`},
		{"laughs", said1(laughs(12), `"\(len(_l12))"`), over},
		{"laughs by texts", said1(textLaughs(40), `_s40`), over},
		{"range of a billion", said1("import \"list\"\n_r: list.Range(0, 1000000000, 1)", `"\(len(_r))"`), over},
		{"text of gigabytes", said1("import \"strings\"\n_r: strings.Repeat(\"xxxxxxxxxx\", 1000000000)", `"\(len(_r))"`), `error in call to strings\.Repeat: count 1000000000 exceeds limit of 100`},
		{"text of terabytes", said1("import \"strings\"\n_r: strings.Repeat(\"xxxxxxxxxx\", 1000000000000)", `"\(len(_r))"`), `error in call to strings\.Repeat: count 1000000000000 exceeds limit of `},
		{"text repeated less than never", said1("import \"strings\"\n_r: strings.Repeat(\"x\", -1)", `_r`), `error in call to strings\.Repeat: negative count`},
		{"list of gigabytes", said1("import \"list\"\n_r: list.Repeat([1, 2, 3], 1000000000)", `"\(len(_r))"`), `error in call to list\.Repeat: count 1000000000 exceeds limit of 100000`},
		{"list times a billion", said1("_r: 1000000000 * [1]", `"\(len(_r))"`), `Multiplication of lists is superseded by list\.Repeat; see https://cuel`},
		{"text times a billion", said1("_r: 4000000000 * \"x\"", `"\(len(_r))"`), `string multiplication count 4000000000 exceeds limit of 1000000`},
		{"bytes times a billion", said1("_r: 4000000000 * 'x'", `"\(len(_r))"`), `bytes multiplication count 4000000000 exceeds limit of 1000000`},

		// Numbers.
		{"exponent of a million", said1("_n: 1e1000000", `"\(_n)"`), `the number's exponent is over 1000`},
		{"exponent of a billion", said1("_n: 1e1000000000 + 1", `"\(_n)"`), `the number's exponent is over 1000`},
		{"exponent over all", said1("_n: 1e99999999999999999999", `"\(_n)"`), `the number's exponent is over 1000`},
		{"exponent in a timeout", strings.Replace(said1("", `"d"`), "command:", "timeout_secs: 1e1000000, command:", 1), `the number's exponent is over 1000`},
		{"a number of a million digits", said1("_n: "+strings.Repeat("9", 1_000_000), `"\(_n & 5)"`), `the number has 1000000 digits, and at most 1000 are read`},
		{"numbers of a million digits multiplied", said1("_n: "+strings.Repeat("9", 1_000_000)+"\n_m: _n * _n", `"\(_m)"`), `the number has 1000000 digits, and at most 1000 are read`},
		{"a power of powers", said1("import \"math\"\n_n: math.Pow(10, 100000000)", `"\(_n)"`), `error in call to math\.Pow: exponent out of range`},
		{"a division", said1("_n: 1e900 / 3", `"\(_n)"`), ``},
		{"a division by 0", said1("_n: div(1, 0)", `"\(_n)"`), `error in call to div: division by zero`},
		{"an index of 2^70", said1("_l: [1]\n_n: _l[1180591620717411303424]", `"\(_n)"`), `invalid index 1180591620717411303424: 1180591620717411303424: greater `},
		{"an index below 0", said1("_l: [1]\n_n: _l[-1]", `"\(_n)"`), `invalid index -1 \(index must be non-negative\)`},
		{"suffixes", said1("_n: 4Mi + 2K", `"\(_n)"`), ``},
		{"a suffix of nothing", said1("_n: 4Q", `"\(_n)"`), `a comma or a new line is missing between fields`},

		// Depth.
		{"braces 10000 deep", said1("_x: "+strings.Repeat("{a: ", 10000)+"1"+strings.Repeat("}", 10000), `"d"`), `nests`},
		{"brackets 10000 deep", said1("_x: "+strings.Repeat("[", 10000)+strings.Repeat("]", 10000), `"d"`), `nests`},
		{"parentheses 10000 deep", said1("_x: "+strings.Repeat("(", 10000)+"1"+strings.Repeat(")", 10000), `"d"`), `nests`},
		{"selectors 10000 deep", said1("_x: a"+strings.Repeat(".a", 10000), `"d"`), `nests`},
		{"indexes 10000 deep", said1("_x: _y"+strings.Repeat("[0]", 10000)+"\n_y: [0]", `"d"`), `nests`},
		{"calls 10000 deep", said1("_x: "+strings.Repeat("len(", 10000)+"1"+strings.Repeat(")", 10000), `"d"`), `nests`},
		{"signs 10000 deep", said1("_x: "+strings.Repeat("-", 10000)+"1", `"d"`), `nests`},
		{"negations 1000000 deep", said1("_x: "+strings.Repeat("!", 1000000)+"true", `"d"`), `nests`},
		{"sums 10000 long", said1("_x: 1"+strings.Repeat(" + 1", 10000), `"\(_x)"`), `nests`},
		{"colons 10000 deep", said1("_x: "+strings.Repeat("a: ", 10000)+"1", `"d"`), `nests`},
		{"colons 900 deep", said1("_x: "+strings.Repeat("a: ", 900)+"1", `"d"`), ``},
		{"interpolations 10000 deep", said1("_x: "+strings.Repeat(`"\(`, 10000)+"1"+strings.Repeat(`)"`, 10000), `"d"`), `nests`},
		{"comprehensions 5000 deep", said1("_x: {"+strings.Repeat("if true {", 5000)+"a: 1"+strings.Repeat("}", 5000)+"}", `"d"`), `nests`},
		{"clauses 10000 long", said1("_x: ["+strings.Repeat("for a in [1] ", 10000)+"{a}]", `"d"`), ``},
		{"comments of 100000 lines", said1(strings.Repeat("// x\n", 100000), `"d"`), ``},
		{"references 5000 long", said1(chain(5000), `"\(_v5000)"`), ``},
		{"references 8000 long", said1(chain(8000), `"\(_v8000)"`), ``},
		{"embeddings 3000 deep", said1(embeddings(3000), `"\(_v3000.a)"`), over},
		{"lets 3000 long", said1(lets(3000), `"\(_t.v)"`), ``},

		// Texts.
		{"interpolation of 50000", said1("_v: 1\n_x: \""+strings.Repeat(`\(_v)`, 50000)+"\"", `"\(len(_x))"`), ``},
		{"a regular expression that grows", said1(`_x: "a" & =~"((((a{1,100}){1,100}){1,100}){1,100})"`, `_x`), `invalid regexp: error parsing regexp: invalid repeat count: `},
		{"a regular expression that backtracks elsewhere", said1(`_x: "`+strings.Repeat("a", 5000)+`" & =~"^(a+)+$"`, `"\(len(_x))"`), ``},
		{"a long regular expression", said1(`_x: "a" & =~"`+strings.Repeat("(a|b)", 30000)+`"`, `_x`), `invalid value "a" \(out of bound =~"\(a\|b\)\(a\|b\)\(a\|b\)\(a\|b\)\(a\|b\)\(a\|b\)\(a\|b\)`},
		{"a broken regular expression", said1(`_x: "a" & =~"("`, `_x`), `invalid regexp: error parsing regexp: missing closing \): `},
		{"a text of many lines that does not end", said1("_x: \"\"\"\n  a\n", `"d"`), `the text does not end on its line`},
		{"a text of many lines badly indented", said1("_x: \"\"\"\n  a\n b\n  \"\"\"", `_x`), `non-matching whitespace for multiline strings`},
		{"a text with odd escapes", said1(`_x: "\ud800 \U00110000 \400"`, `_x`), `escape sequence is invalid Unicode code point`},
		{"a file of bytes that are no text", "-- lanes/a.cue --\npackage lanes\n" + strings.Repeat("\xe5", 1<<20) + "\n", `not in UTF-8`},
		{"raw texts", said1(`_x: ##"a "# \##(1) "##`, `_x`), ``},
		{"bytes for a text", said1(`_x: 'abc'`, `_x`), `description of lane a is bytes: want a text that is not empty`},
		{"bytes interpolated", said1(`_x: 'abc\xff'`, `"\(_x)"`), ``},

		// Definitions, closedness, constraints.
		{"definition said twice", said1("#D: {a: 1}\n#D: {b: 2}\n_v: #D", `"\(_v.b)"`), ``},
		{"definition that contradicts itself", said1("#D: {a: 1}\n#D: {a: 2}", `"\(#D.a)"`), `conflicting values 2 and 1`},
		{"embedding what is closed", said1("#D: {a: 1}\n_v: {#D, b: 2}", `"\(_v.b)"`), ``},
		{"embedding and unifying what is closed", said1("#D: {a: 1}\n_v: #D & {b: 2}", `"\(_v.b)"`), `is not allowed: a definition`},
		{"closed with patterns", said1("#D: {a?: int, [=~\"^x\"]: string}\n_v: #D & {xa: \"d\", a: 1}", `_v.xa`), ``},
		{"closed with patterns broken", said1("#D: {a?: int, [=~\"^x\"]: string}\n_v: #D & {ya: \"d\"}", `_v.ya`), `is not allowed: a definition`},
		{"close of itself", said1("_x: close({a: \"d\", b: _x.a})", `_x.b`), ``},
		{"patterns by a disjunction", said1("_x: {[\"a\" | \"b\"]: \"d\", a: _}", `_x.a`), ``},
		{"patterns by and()", said1("_c: [=~\"^.*$\"]\n_x: {[and(_c)]: _, k: \"d\"}", `_x.k`), ``},
		{"a pattern of itself", said1("_x: {[_x.k]: \"d\", k: \"k\"}", `_x.k`), `reference "k" in label expression refers to field against which it wou`},
		{"required, optional and given", said1("_x: {a!: string, b?: string}\n_y: _x & {a?: \"d\", b!: \"e\", a: \"d\"}", `_y.a`), ``},
		{"required and not given", said1("_x: {a!: string}", `_x.a`), `description of lane a has no value: it is made from a field that has n`},
		{"optional and not given", said1("_x: {a?: \"d\"}", `_x.a`), `description of lane a has no value: it is made from a field that has n`},
		{"aliases everywhere", said1("A=_x: {B=b: \"d\", c: B, X=(\"q\"): c, r: A.b, s: X}", `_x.r`), ``},
		{"an alias that nothing uses", said1("A=_x: \"d\"", `_x`), `nothing uses the alias`},
		{"an alias of an alias", said1("A=B=_x: \"d\"", `_x`), `a field is given its value by :, not by =`},
		{"hidden fields of hidden fields", said1("_x: _y: _z: \"d\"", `_x._y._z`), ``},
		{"hidden field of another package", "-- lanes/a.cue --\npackage lanes\n\nimport \"example.com/repo/other\"\n\n" + lane("a", "other._x") + "-- other/o.cue --\npackage other\n\n_x: \"d\"\n", `description of lane a has no value: it is made from a field _x, which `},
		{"bottom", said1("_x: _|_", `_x`), `the value is _\|_, which is an error`},
		{"bottom of a lane", "-- lanes/a.cue --\npackage lanes\n\nlanes: a: _|_\n", `the value is _\|_, which is an error`},
		{"bottom or a text", said1(`_x: _|_ | "d"`, `_x`), ``},
		{"a struct in a comparison", said1(`_x: {a: 1} == {a: 1}`, `"\(_x)"`), ``},
		{"matchN of itself", said1(`_x: matchN(1, [_x, string]) & "d"`, `_x`), `invalid value "d" \(does not satisfy matchN\): 2 matched, expected 1`},
		{"or of itself", said1(`_x: or([_x, "d"])`, `_x`), `description of lane a has no definite value: want a text that is not e`},
		{"and of nothing", said1(`_x: and([]) & "d"`, `_x`), ``},
		{"or of nothing", said1(`_x: or([])`, `_x`), `error in call to or: empty list in call to or`},
		{"error()", said1(`_x: error("own words")`, `_x`), `own words`},
		{"fields by themselves", "-- lanes/a.cue --\npackage lanes\n\n" + lane("a", `"d"`) + "for k, l in lanes {lanes: \"\\(k)x\": l}\n", `field ax is added to a struct by going through its own fields`},
		{"lanes by a comprehension of lanes", "-- lanes/a.cue --\npackage lanes\n\n" + lane("a", `"d"`) + "lanes: {for k, l in lanes {\"\\(k)\": l}}\n", ``},
		{"a thousand lanes by a comprehension", "-- lanes/a.cue --\npackage lanes\n\nimport \"list\"\n\nlanes: {for i in list.Range(0, 1000, 1) {\"l\\(i)\": {title: \"t\\(i)\", description: \"d\", jobs: \"j\\(i)\": {description: \"d\", command: [\"true\"]}}}}\n", ``},

		{"a field of a function", said1(`_x: mod.mod`, `_x`), `no list and no struct`},
		{"a function for a value", said1(`_x: len`, `_x`), `description of lane a is a func`},
		{"a call of no function", said1("_a: 1\n_x: _a(1)", `_x`), `cannot call non-function _a`},

		// Imports, attributes, embedded files.
		{"a package that imports itself", "-- lanes/a.cue --\npackage lanes\n\nimport \"example.com/repo/lanes\"\n\n" + lane("a", "lanes.x"), `import failed: package example\.com/repo/lanes imports itself, directly`},
		{"packages in a circle", "-- lanes/a.cue --\npackage lanes\n\nimport \"example.com/repo/b\"\n\n" + lane("a", "b.x") +
			"-- b/b.cue --\npackage b\n\nimport \"example.com/repo/c\"\n\nx: c.x\n-- c/c.cue --\npackage c\n\nimport \"example.com/repo/b\"\n\nx: b.x\n", `import failed: package example\.com/repo/b imports itself, directly or `},
		{"an import of the folder above", "-- lanes/a.cue --\npackage lanes\n\nimport \"example.com/repo/lanes/../b\"\n\n" + lane("a", "b.x"), `import failed: no package is named example\.com/repo/lanes/\.\./b: an imp`},
		{"an import through the folder above", "-- lanes/a.cue --\npackage lanes\n\nimport \"example.com/repo/lanes/../b\"\n\n" + lane("a", "b.x") + "-- b/b.cue --\npackage b\n\nx: \"d\"\n", `import failed: no package is named example\.com/repo/lanes/\.\./b: an imp`},
		{"an import by an absolute path", "-- lanes/a.cue --\npackage lanes\n\nimport b \"/etc\"\n\n" + lane("a", "b.x"), `import failed: no package is named /etc: an import path has no empty p`},
		{"an import of nothing", "-- lanes/a.cue --\npackage lanes\n\nimport \"\"\n\n" + lane("a", `"d"`), `invalid import path: ""`},
		{"a long import", "-- lanes/a.cue --\npackage lanes\n\nimport \"example.com/repo" + strings.Repeat("/a", 3000) + "\"\n\n" + lane("a", `"d"`), `import failed: package example\.com/repo/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/`},
		{"a tool's package", "-- lanes/a.cue --\npackage lanes\n\nimport \"tool/exec\"\n\n" + lane("a", `exec.Run.$id`), ``},
		{"an embedded glob", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(glob=*.json)\n" + lane("a", `_x["d.json"].v`) + "-- lanes/d.json --\n{\"v\": \"d\"}\n", ``},
		{"an embedded file that is not there", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=d.json)\n" + lane("a", `_x.v`), `@embed: open d\.json: no such file or directory`},
		{"an embedded file from outside", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=\"../../../../../etc/passwd\", type=text)\n" + lane("a", `_x`), `@embed: cannot refer to parent directory`},
		{"an embedded file that is wrong", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=d.json)\n" + lane("a", `_x.v`) + "-- lanes/d.json --\n{\"v\": \n", `@embed: invalid JSON for file "d\.json": unexpected end of JSON input`},
		{"an embedded file 3000 deep", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=d.json)\n" + lane("a", `"d"`) + "-- lanes/d.json --\n" + strings.Repeat("[", 3000) + strings.Repeat("]", 3000) + "\n", ``},
		{"an embedded file 1000000 deep", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=d.json)\n" + lane("a", `"d"`) + "-- lanes/d.json --\n" + strings.Repeat("[", 1000000) + strings.Repeat("]", 1000000) + "\n", `@embed: invalid JSON for file "d\.json": invalid character '\[' exceeded`},
		{"embedded YAML that laughs", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=d.yaml)\n" + lane("a", `"\(len(_x.l8))"`) + "-- lanes/d.yaml --\n" + yamlLaughs(8), `@embed: failed to decode file: d\.yaml:1: aliases expand to more than 5`},
		{"embedded YAML 5000 deep", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=d.yaml)\n" + lane("a", `"d"`) + "-- lanes/d.yaml --\n" + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n", ``},
		{"embedded CUE", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=lanes.cue)\n" + lane("a", `"d"`), `@embed: encoding "cue" not \(yet\) supported`},
		{"a large embedded file", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=d.txt, type=text)\n" + lane("a", `"\(len(_x))"`) + "-- lanes/d.txt --\n" + strings.Repeat("x", 8<<20) + "\n", ``},
		{"a large embedded list", "-- lanes/a.cue --\n@extern(embed)\npackage lanes\n\n_x: _ @embed(file=d.json)\n" + lane("a", `"\(len(_x))"`) + "-- lanes/d.json --\n[0" + strings.Repeat(",1", 8<<20) + "]\n", over},
		{"a build tag", "-- lanes/a.cue --\n@if(linux)\n\npackage lanes\n\n" + lane("a", `"d"`), `@if`},
		{"an ignored file", said1("", `"d"`) + "-- lanes/b.cue --\n@ignore()\n\npackage lanes\n\nlanes: b: 1\n", ``},
		{"an external function", "-- lanes/a.cue --\n@extern(\"wasm\")\npackage lanes\n\n_x: int @extern(\"x.wasm\", abi=c, sig=\"func(int64): int64\")\n" + lane("a", `"\(_x)"`), `@extern\(wasm\) means nothing here: pikaci knows @extern\(embed\) alone`},
		{"an unknown extern", "-- lanes/a.cue --\n@extern(perl)\npackage lanes\n\n" + lane("a", `"d"`), `@extern\(perl\) means nothing here: pikaci knows @extern\(embed\) alone`},
		{"attributes of all kinds", said1("@a()\n@b(c=d,e=\"(\")\n_x: 1 @go(-,type=\"x\") @proto(1,\"a\")", `"\(_x)"`), ``},
		{"an attribute that does not end", said1("_x: 1 @go(((((", `"d"`), `attribute missing '\)'`},
		{"an experiment", "-- lanes/a.cue --\n@experiment(explicitopen)\npackage lanes\n\n" + lane("a", `"d"`), ``},
		{"an unknown experiment", "-- lanes/a.cue --\n@experiment(nosuch)\npackage lanes\n\n" + lane("a", `"d"`), `parsing experiments for version "v0\.17\.0": unknown experiment "nosuch"`},
		{"a module file that nests", "-- cue.mod/module.cue --\nmodule: \"example.com/repo\"\nlanguage: version: \"v0.17.0\"\nx: 1" + strings.Repeat(" + 1", 50000) + "\n" + said1("", `"d"`), `nests`},
		{"a large module file", "-- cue.mod/module.cue --\nmodule: \"example.com/repo\"\nlanguage: version: \"v0.17.0\"\nx: 1" + strings.Repeat(" + 1", 500000) + "\n" + said1("", `"d"`), `too large`},
		{"an old language version", "-- cue.mod/module.cue --\nmodule: \"example.com/repo\"\nlanguage: version: \"v0.0.1\"\n" + said1("", `"d"`), ``},
		{"a language version to come", "-- cue.mod/module.cue --\nmodule: \"example.com/repo\"\nlanguage: version: \"v0.999.0\"\n" + said1("", `"d"`), `the language version v0\.999\.0 is newer than v0\.17\.1, the newest that t`},
	}
}

// said1 is a lane file with fields of its own, and a lane whose description is
// an expression; an import is the first line.
func said1(fields, description string) string {
	imports := ""
	if strings.HasPrefix(fields, "import ") {
		imports, fields, _ = strings.Cut(fields, "\n")
	}
	return "-- lanes/a.cue --\npackage lanes\n\n" + imports + "\n\n" + fields + "\n" + lane("a", description)
}

func lane(id, description string) string {
	return fmt.Sprintf("lanes: %s: {title: \"check-%s\", description: %s, jobs: \"job-%s\": {description: \"d\", command: [\"true\"]}}\n", id, id, description, id)
}

func joined(n int, sep string, part func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = part(i)
	}
	return strings.Join(parts, sep)
}

func nestedDefaults(n int) string {
	return "_d0: *\"a\" | \"b\"\n" + joined(n, "\n", func(i int) string { return fmt.Sprintf("_d%d: *_d%d | \"c%d\"", i+1, i, i) })
}

func sideDefaults(n int) string {
	fields := joined(n, "\n", func(i int) string { return fmt.Sprintf("p%d: *\"a\" | \"b\" | \"c\"", i) })
	return "_x: {\n" + fields + "\n} | {\n" + fields + "\n}"
}

// multiplied is a disjunction unified with others that it can't rule out.
func multiplied(n int) string {
	return "_x: {" + joined(n, ", ", func(i int) string { return fmt.Sprintf("p%d: *\"a\" | \"b\"", i) }) + "}\n_y: " +
		joined(n, " & ", func(i int) string { return fmt.Sprintf("(_x | {p%d: \"b\", ...} | {q%d: \"c\", ...})", i, i) })
}

// wrappedRecursion is a disjunction in braces whose arms ask it for others.
func wrappedRecursion(n int) string {
	arms := joined(n, " | ", func(i int) string { return fmt.Sprintf("{t!: \"r%d\", out: next: (#T & {t: \"r%d\"}).out}", i+1, i) })
	return "#T: {\n{t!: \"r0\", out: {}} | " + arms + "\n}"
}

func patterns(n, fields int) string {
	return "_p: {\n" + joined(n, "\n", func(i int) string { return fmt.Sprintf("[=~\"^f.*%d$\"]: int", i) }) + "\n" +
		joined(fields, "\n", func(i int) string { return fmt.Sprintf("f%d: %d", i, i) }) + "\n}"
}

func laughs(n int) string {
	return "_l0: [1]\n" + joined(n, "\n", func(i int) string {
		return fmt.Sprintf("_l%d: [for a in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] for b in _l%d {b}]", i+1, i)
	})
}

func textLaughs(n int) string {
	return "_s0: \"ha\"\n" + joined(n, "\n", func(i int) string { return fmt.Sprintf(`_s%d: "\(_s%d)\(_s%d)"`, i+1, i, i) })
}

func yamlLaughs(n int) string {
	return "l0: &l0 [1,1,1,1,1,1,1,1,1,1]\n" + joined(n, "\n", func(i int) string {
		return fmt.Sprintf("l%d: &l%d [%s]", i+1, i+1, joined(10, ",", func(int) string { return fmt.Sprintf("*l%d", i) }))
	}) + "\n"
}

func chain(n int) string {
	return "_v0: 1\n" + joined(n, "\n", func(i int) string { return fmt.Sprintf("_v%d: _v%d", i+1, i) })
}

func embeddings(n int) string {
	return "_v0: a: 1\n" + joined(n, "\n", func(i int) string { return fmt.Sprintf("_v%d: {_v%d, b%d: 1}", i+1, i, i) })
}

func lets(n int) string {
	return "_t: {\nlet l0 = 1\n" + joined(n, "\n", func(i int) string { return fmt.Sprintf("let l%d = l%d + 1", i+1, i) }) + fmt.Sprintf("\nv: l%d\n}", n)
}
