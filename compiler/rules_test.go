package compiler

import "testing"

// There is a rule for all that the schema says. Where this fails after a change
// of the schema, lanes are evaluated with it, slower and no less right, until
// rules.go knows what it says.
func TestTheSchemaIsLaw(t *testing.T) {
	if _, err := lawOfSchema(); err != nil {
		t.Error(err)
	}
}

// What a schema says in another way than rules.go knows makes no rule.
func TestLawmakerRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{
		`#Lanes: {a: 1}`,                 // a field that is there by itself
		`#Lanes: {a?: *1 | int}`,         // a default
		`#Lanes: {a?: int, ...}`,         // an open struct
		`#Lanes: {[string]: int, a?: 1}`, // a pattern beside a field
		`#Lanes: {a?: [...]}`,
		`#Lanes: {a?: [...int, string]}`,
		`#Lanes: {a?: number}`,
		`#Lanes: {a?: 1}`,
		`#Lanes: {a?: >"x"}`,
		`#Lanes: {a?: >1.5}`,
		`#Lanes: {a?: >b, b?: int}`,
		`#Lanes: {a?: strings.MinRunes(1)}`,
		`#Lanes: {a?: #None}`,
		`#Lanes: {if true {a?: int}}`,
		`#Lanes: {let x = 1, a?: x}`,
		`#Lanes: {_a?: int}`,
		`#Lanes: {#A: int, a?: #A}`,
		`#Lanes: {a?: int @default(1)}`,
		`#Lanes: {a?: int, a?: >1}`,
		`#Lanes: {a?: int} | {b?: int}`,
		`#Lanes: {#Other}, #Other: {}`,
		`#Lanes: {}` + "\n" + `#Lanes: {a?: int}`,
		`#Lanes: {}` + "\n" + `lanes: #Lanes`,
		`#Lanes: {a?: int} & {b?: int}` + "\n" + `if true {x: 1}`,
		`#Lanes: string + "x"`,
		`#Lanes: (#Lane).a, #Lane: {a: 1}`,
	} {
		m, err := newLawmaker(map[string][]byte{"schema.cue": []byte("package schema\n" + text)})
		if err != nil {
			continue // it is no CUE
		}
		if m.definition("#Lanes"); m.err == nil {
			t.Errorf("there are rules for %s", text)
		}
	}
}
