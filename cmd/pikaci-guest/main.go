// Command pikaci-guest runs one job's command inside a guest.
//
//	pikaci-guest run        start the command under a supervisor, or find it
//	                        started, and follow it to its end
//	pikaci-guest supervise  the supervisor; run starts it
//
// run reads JSON on stdin and writes frames to stdout. The supervisor is a
// process of its own: it outlives the connection that started it, and even the
// daemon that made the connection. What it runs writes straight to files, which
// anybody may follow from any offset. The job's user may be root and spoil all
// of it: whoever follows neither waits for ever nor reads without a limit.
package main

import (
	"encoding/json"
	"errors"
	"os"
	"syscall"
)

func main() {
	syscall.Umask(0o022)
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "run":
		err = run(os.Stdin, os.Stdout)
	case len(os.Args) == 2 && os.Args[1] == "supervise":
		err = supervise(os.Stdin)
	default:
		err = errors.New("usage: pikaci-guest run|supervise")
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
