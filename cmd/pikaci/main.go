// Command pikaci compiles CUE lane files to a plan and carries plans out.
//
// This package is flags, environment, signals, exit codes and wiring, and
// nothing else: what a lane means is the compiler's, what a run does is the
// runtime's.
package main

import (
	"context"
	"os"
	"os/signal"
	goruntime "runtime"
	"syscall"
)

// Orphans that a run adopts become children of the main thread, which therefore
// starts no process: it is the main goroutine's, and that only waits.
func init() { goruntime.LockOSThread() }

func main() {
	code := make(chan int)
	go func() { code <- program() }()
	os.Exit(<-code)
}

func program() int {
	// A reader that went away must be an error with an exit code; Go ends the
	// process without a word unless somebody listens. Ignoring the signal
	// instead would be inherited by the programs that pikaci starts.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the work in order, the second one at once.
	context.AfterFunc(ctx, stop)

	return run(ctx, session{
		args:   os.Args[1:],
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		env:    os.Environ(),
	})
}
