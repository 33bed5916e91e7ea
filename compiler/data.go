package compiler

import (
	"fmt"
	"iter"
	"reflect"
	"sync"

	"cuelang.org/go/cue"
)

// data is an evaluated value as plain Go: all that is in it, one after the
// other, those of one struct or list beside each other. It exists because asking
// a cue.Value for its fields sorts them, and makes a context for each answer:
// that took longer than a sixth of evaluating them.
type data struct{ nodes []node }

// node is one value; its number is its index.
type node struct {
	// label is the field's name; empty in a list.
	label string
	kind  cue.Kind
	// text, number and flag are the value's, by its kind.
	text   string
	number int64
	flag   bool
	// first and count say where the fields or elements stand.
	first, count int32
}

// dataOf reads a value that was validated to be concrete.
func dataOf(v cue.Value) (data, error) {
	if d, ok := quickly(v); ok {
		return d, nil
	}
	return slowly(v)
}

// datum is one value of data.
type datum struct {
	*node
	of []node
}

// top is the value that was read.
func (d data) top() datum { return datum{&d.nodes[0], d.nodes} }

// within are a struct's fields or a list's elements.
func (d datum) within() iter.Seq[datum] {
	return func(yield func(datum) bool) {
		for i := d.first; i < d.first+d.count; i++ {
			if !yield(datum{&d.of[i], d.of}) {
				return
			}
		}
	}
}

// field is a field of a struct, if it is there.
func (d datum) field(name string) (datum, bool) {
	for i := d.first; i < d.first+d.count; i++ {
		if d.of[i].label == name {
			return datum{&d.of[i], d.of}, true
		}
	}
	return datum{}, false
}

// quickly reads what lies behind a value. Core, which gives it, is CUE's own and
// not for others: false where it is not as expected. Its types can't be named
// here, only be had: hence one loop, and no function, for values within values.
func quickly(v cue.Value) (data, bool) {
	known := atoms()
	core := v.Core()
	if !known.known || core.V == nil {
		return data{}, false
	}
	left := append(core.V.Arcs[:0:0], core.V)
	out := data{nodes: make([]node, 1, 64)}
	for at := 0; at < len(left); at++ {
		found := left[at].DerefValue().Default()
		here := node{label: out.nodes[at].label, kind: cue.Kind(found.Kind()), first: int32(len(left))}
		switch here.kind {
		case cue.StructKind, cue.ListKind:
			for _, arc := range found.Arcs {
				isElement := arc.Label.IsInt()
				if arc.IsConstraint() || !isElement && !arc.Label.IsString() {
					// What may be there, and what is hidden.
					continue
				}
				if arc.ArcType != 0 || isElement != (here.kind == cue.ListKind) {
					return data{}, false
				}
				child := node{}
				if !isElement {
					child.label = arc.Label.StringValue(core.R)
				}
				out.nodes = append(out.nodes, child)
				left = append(left, arc)
			}
			here.count = int32(len(left)) - here.first
		default:
			if !known.read(&here, reflect.ValueOf(found.BaseValue)) {
				return data{}, false
			}
		}
		out.nodes[at] = here
	}
	return out, true
}

// atomTypes are CUE's types of values that hold no others, and where in them
// stands what they hold.
type atomTypes struct {
	known              bool
	text, number, flag reflect.Type
	inText, inNumber   int
	inFlag             int
}

// atoms finds the types out from values that are known.
var atoms = sync.OnceValue(func() (t atomTypes) {
	defer func() {
		if recover() != nil {
			t = atomTypes{}
		}
	}()
	ctx := newContext()
	base := func(x string) reflect.Value {
		return reflect.ValueOf(ctx.CompileString(x).Core().V.DerefValue().BaseValue)
	}
	index := func(v reflect.Value, name string) int {
		f, ok := v.Type().Elem().FieldByName(name)
		if !ok || len(f.Index) != 1 {
			panic("no field " + name)
		}
		return f.Index[0]
	}
	text, number, flag := base(`"x"`), base("7"), base("true")
	t = atomTypes{
		text: text.Type(), number: number.Type(), flag: flag.Type(),
		inText: index(text, "Str"), inNumber: index(number, "X"), inFlag: index(flag, "B"),
	}
	n := [3]node{{kind: cue.StringKind}, {kind: cue.IntKind}, {kind: cue.BoolKind}}
	t.known = t.read(&n[0], text) && t.read(&n[1], number) && t.read(&n[2], flag) &&
		n[0].text == "x" && n[1].number == 7 && n[2].flag
	return t
})

// read takes a text, whole number or flag over; false for all else.
func (t *atomTypes) read(into *node, from reflect.Value) bool {
	switch {
	case !from.IsValid():
	case from.Type() == t.text && into.kind == cue.StringKind:
		into.text = from.Elem().Field(t.inText).String()
		return true
	case from.Type() == t.number && into.kind == cue.IntKind:
		n, ok := from.Elem().Field(t.inNumber).Addr().Interface().(interface{ Int64() (int64, error) })
		if !ok {
			return false
		}
		var err error
		into.number, err = n.Int64()
		return err == nil
	case from.Type() == t.flag && into.kind == cue.BoolKind:
		into.flag = from.Elem().Field(t.inFlag).Bool()
		return true
	}
	return false
}

// slowly reads a value by what CUE offers to all.
func slowly(v cue.Value) (data, error) {
	out := data{nodes: make([]node, 1)}
	left := []cue.Value{v}
	for at := 0; at < len(left); at++ {
		v, _ := left[at].Default()
		here := node{label: out.nodes[at].label, kind: v.Kind(), first: int32(len(left))}
		var err error
		switch here.kind {
		case cue.StructKind:
			var it *cue.Iterator
			for it, err = v.Fields(); err == nil && it.Next(); {
				out.nodes = append(out.nodes, node{label: it.Selector().Unquoted()})
				left = append(left, it.Value())
			}
		case cue.ListKind:
			var it cue.Iterator
			for it, err = v.List(); err == nil && it.Next(); {
				out.nodes = append(out.nodes, node{})
				left = append(left, it.Value())
			}
		case cue.StringKind:
			here.text, err = v.String()
		case cue.IntKind:
			here.number, err = v.Int64()
		case cue.BoolKind:
			here.flag, err = v.Bool()
		}
		if err != nil {
			return out, fmt.Errorf("%s: %w", v.Path(), err)
		}
		here.count = int32(len(left)) - here.first
		out.nodes[at] = here
	}
	return out, nil
}
