package main

import (
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/runtime/process"
)

func TestARunnersResultIsTakenOnlyIfItMakesSense(t *testing.T) {
	for text, want := range map[string]process.Exit{
		`{"schema_version":1,"status":"passed","exit_code":0}`:                                           {},
		`{"schema_version":1,"status":"failed","exit_code":255,"message":"m"}`:                           {Code: 255, Problem: "m"},
		`{"schema_version":1,"status":"failed","exit_code":null,"signal":"SIGSEGV"}`:                     {Code: -1, Signal: "SIGSEGV"},
		`{"schema_version":1,"status":"timed_out","signal":"SIGTERM","finished_at":"2026-01-01"}` + "\n": {Code: -1, Signal: "SIGTERM", TimedOut: true},
	} {
		if got, err := exitOf([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		``:          "read its result.json: EOF",
		`[]`:        "read its result.json",
		`{"status"`: "read its result.json",
		`{"schema_version":1,"status":"passed","exit_code":0}{}`:                  "more than one value",
		`{"schema_version":1,"status":"passed","exit_code":0,"exit_cod":1}`:       "unknown field",
		`{"schema_version":1,"status":"passed","exit_code":0.5}`:                  "read its result.json",
		`{"schema_version":1,"status":"passed","exit_code":99999999999999999999}`: "read its result.json",
		`{"schema_version":2,"status":"passed","exit_code":0}`:                    "schema_version of its result.json is 2",
		`{"status":"passed","exit_code":0}`:                                       "schema_version of its result.json is 0",
		`{"schema_version":1,"status":"passed"}`:                                  "no exit_code 0",
		`{"schema_version":1,"status":"passed","exit_code":1}`:                    "no exit_code 0",
		`{"schema_version":1,"status":"passed","signal":"SIGKILL"}`:               "no exit_code 0",
		`{"schema_version":1,"status":"failed","exit_code":0}`:                    "neither another exit_code",
		`{"schema_version":1,"status":"failed"}`:                                  "neither another exit_code",
		`{"schema_version":1,"status":"failed","exit_code":256}`:                  "exit_code 256",
		`{"schema_version":1,"status":"failed","exit_code":-1}`:                   "exit_code -1",
		`{"schema_version":1,"status":"failed","exit_code":1,"signal":"SIGKILL"}`: "both exit_code and signal",
		`{"schema_version":1,"status":"timed_out"}`:                               "neither exit_code nor signal",
		`{"schema_version":1,"status":"PASSED","exit_code":0}`:                    "no status that is passed",
		`{"schema_version":1,"exit_code":0}`:                                      "no status that is passed",
	} {
		if got, err := exitOf([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want an error with %q", text, got, err, want)
		}
	}
}

func TestWhatARunnerSaysHoldsNoSecret(t *testing.T) {
	r := guest.Request{Env: map[string]string{"TOKEN": "s3cret", "EMPTY": "", "PLAIN": "said"}, Secrets: []string{"TOKEN", "EMPTY"}}
	if got := masked(r, "said s3cret twice s3cret"); got != "said *** twice ***" {
		t.Error(got)
	}
}
