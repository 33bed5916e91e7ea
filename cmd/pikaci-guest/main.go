// Command pikaci-guest runs one job's command inside a guest.
//
//	pikaci-guest run        start the command under a supervisor, and follow it
//	pikaci-guest follow     follow it again, from given offsets
//	pikaci-guest supervise  the supervisor; run starts it
//
// run and follow read JSON on stdin and write frames to stdout. The supervisor
// is a process of its own: it outlives the connection that started it, and
// even the daemon that made the connection. What it runs writes straight to
// files, which anybody may follow from any offset.
package main

import (
	"encoding/json"
	"errors"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fail(errors.New("usage: pikaci-guest run|follow|supervise"))
	}
	var err error
	switch os.Args[1] {
	case "run":
		err = run(os.Stdin, os.Stdout)
	case "follow":
		err = followAgain(os.Stdin, os.Stdout)
	case "supervise":
		err = supervise(os.Stdin)
	default:
		err = errors.New("no such command: " + os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	os.Stderr.WriteString("pikaci-guest: " + err.Error() + "\n")
	os.Exit(1)
}

// readJSON reads all of f, which is the host's.
func readJSON(f *os.File, v any) error {
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	return d.Decode(v)
}
