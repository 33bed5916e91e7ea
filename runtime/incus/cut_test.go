package incus_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// cutter passes connections on to the local Incus, and cuts each that carries a
// command's output: the first after so many bytes, the second after twice as
// many.
type cutter struct {
	socket string
	after  int64
	cuts   atomic.Int32
}

func newCutter(t *testing.T, after int64) *cutter {
	t.Helper()
	c := &cutter{socket: filepath.Join(t.TempDir(), "s"), after: after}
	l, err := net.Listen("unix", c.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(from)
		}
	}()
	return c
}

func (c *cutter) pass(from net.Conn) {
	defer from.Close()
	// Nothing is dialled before there is something to say: incusd waits for it.
	head := make([]byte, 1<<12)
	n, err := from.Read(head)
	if err != nil {
		return
	}
	to, err := net.Dial("unix", incusSocket())
	if err != nil {
		return
	}
	defer to.Close()
	to.Write(head[:n])
	go func() {
		io.Copy(to, from)
		to.Close()
	}()
	if !bytes.Contains(head[:n], []byte("/websocket")) {
		io.Copy(from, to)
		return
	}
	// Each may carry more than the one before, for what is sent at once gets
	// longer while nobody is there to take it.
	after := c.after * int64(1+c.cuts.Load())
	if n, err := io.CopyN(from, to, after); err == nil && n == after {
		c.cuts.Add(1)
	}
}

// Output that comes over connections that are cut every few lines is whole, and
// each byte of it there once, whoever runs the command in the guest.
func TestConnectionsThatAreCut(t *testing.T) {
	const lines = 200
	script := fmt.Sprintf("#!/bin/bash\nfor i in {1..%d}; do echo line $i; echo error $i >&2; sleep 0.01; done; exit 5\n", lines)
	var stdout, stderr strings.Builder
	for i := range lines {
		fmt.Fprintf(&stdout, "line %d\n", i+1)
		fmt.Fprintf(&stderr, "error %d\n", i+1)
	}
	for name, with := range map[string]string{"": "", "of a guest runner": "/workspace/snapshot/runner"} {
		t.Run("the output "+name, func(t *testing.T) {
			t.Parallel()
			c := newCutter(t, 500)
			b := newBenchAt(t, c.socket, func(j *plan.Job) { j.Incus.GuestRunner = with })
			b.file("snapshot/job", script, 0o755)
			b.file("snapshot/runner", strings.Replace(runner, "RESULT", honest, 1), 0o755)
			b.create()
			out, err := b.execute(context.Background(), runnersJob)
			if err != nil || out.ExitCode == nil || *out.ExitCode != 5 {
				t.Fatalf("%s, %v", describe(out), err)
			}
			if b.out.String() != stdout.String() || b.errs.String() != stderr.String() {
				t.Errorf("stdout %q\nstderr %q", b.out, b.errs)
			}
			if c.cuts.Load() < 3 {
				t.Errorf("%d connections were cut", c.cuts.Load())
			}
			events := strings.Count(b.job.Logs.Host.(*runtimetest.Log).String(), `{"event":`)
			if want := map[bool]int{true: 2}[with != ""]; events != want {
				t.Errorf("%d events of the runner, want %d", events, want)
			}
		})
	}
}
