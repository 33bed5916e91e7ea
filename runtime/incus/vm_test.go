package incus_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/guest"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

func machine(j *plan.Job) { j.Incus.InstanceType = plan.VirtualMachine }

// fakeBench is a bench on a fake server.
func fakeBench(t *testing.T, change func(*plan.Job)) (*bench, *runtimetest.Incus) {
	s := runtimetest.NewIncus(t)
	b := newBenchAt(t, s.Socket, func(j *plan.Job) {
		machine(j)
		if change != nil {
			change(j)
		}
	})
	b.leftovers = s.Instances
	return b, s
}

func TestAVirtualMachineIsMadeOfTheRightRequests(t *testing.T) {
	b, s := fakeBench(t, nil)
	s.BootPolls = 3
	b.file("out/f", "", 0o644)
	b.payload("role", "out", "/staged")
	b.create()
	if out, err := b.execute(context.Background(), "true"); err != nil || out.Verdict != event.Passed {
		t.Fatalf("%+v, %v", out, err)
	}
	if b.out.String() != "hello\n" {
		t.Errorf("stdout %q", b.out)
	}
	if err := b.x.Release(context.Background(), *b.lease); err != nil {
		t.Fatal(err)
	}
	var got []string
	var create, update map[string]any
	for _, r := range s.Requests() {
		step := r.Method + " " + strings.ReplaceAll(r.Path, b.name(), "N")
		if r.Method == "PUT" && strings.HasSuffix(r.Path, "/state") {
			step += " " + r.Body["action"].(string)
		}
		got = append(got, step)
		switch step {
		case "POST /1.0/instances":
			create = r.Body
		case "PUT /1.0/instances/N":
			update = r.Body
		}
	}
	slices.Sort(got[:3]) // what is asked before is asked side by side
	want := []string{"GET /1.0", "GET /1.0/images/aliases/pikaci/dev", "GET /1.0/profiles/default",
		"POST /1.0/instances", "GET /1.0/instances/N", "PUT /1.0/instances/N", "PUT /1.0/instances/N/state start",
		"GET /1.0/instances/N/state", "GET /1.0/instances/N/state", "GET /1.0/instances/N/state", "GET /1.0/instances/N/state",
		"POST /1.0/instances/N/exec", "GET /1.0/instances/N", "PUT /1.0/instances/N/state stop", "DELETE /1.0/instances/N"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if create["type"] != "virtual-machine" {
		t.Errorf("type %v", create["type"])
	}
	checkDisks(t, update)
}

// checkDisks wants snapshot, program and payload in a machine's configuration.
func checkDisks(t *testing.T, put map[string]any) {
	t.Helper()
	devices, _ := put["devices"].(map[string]any)
	for _, name := range []string{"pk-snapshot", "pk-program", "pk-role-role"} {
		d, _ := devices[name].(map[string]any)
		if d["io.bus"] != "virtiofs" || d["readonly"] != "true" || d["shift"] != nil || d["recursive"] != nil {
			t.Errorf("device %s is %v", name, d)
		}
	}
}

func TestAPayloadThatIsThereAlreadySavesTheUpdate(t *testing.T) {
	b, s := fakeBench(t, nil)
	b.early = true
	b.file("out/f", "", 0o644)
	b.payload("role", "out", "/staged")
	b.create()
	if out, err := b.execute(context.Background(), "true"); err != nil || out.Verdict != event.Passed {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, r := range s.Requests() {
		switch {
		case r.Method == "POST" && r.Path == "/1.0/instances":
			checkDisks(t, r.Body)
		case r.Method == "PUT" && !strings.HasSuffix(r.Path, "/state"):
			t.Errorf("%s %s", r.Method, r.Path)
		}
	}
}

// frame is one frame's bytes, true or not.
func frame(kind byte, length uint32, payload string) string {
	return string(binary.BigEndian.AppendUint32([]byte{kind}, length)) + payload
}

func good(kind guest.Kind, payload string) string {
	return frame(byte(kind), uint32(len(payload)), payload)
}

func TestAGuestThatDoesNotKeepToTheProtocol(t *testing.T) {
	ended, done := good(guest.Ended, `{"code": 0}`), good(guest.Done, "")
	for _, c := range []struct{ name, says, want string }{
		{"garbage", "garbage and more garbage", "not a frame"},
		{"kind 0", frame(0, 0, ""), "not a frame"},
		{"kind 8", frame(8, 0, ""), "not a frame"},
		{"events without a runner", good(guest.Events, "x"), "frame 7 before the job's end"},
		{"an exit code of 256", good(guest.Ended, `{"code":256}`), "an exit code of 256"},
		{"a length of 4 GiB", frame(1, 1<<32-1, "x"), "not a frame"},
		{"done before the end", done, "frame 5 before the job's end"},
		{"artifacts before the end", good(guest.Artifacts, "x"), "frame 4 before the job's end"},
		{"output after the end", ended + good(guest.Stdout, "x"), "frame 1 among the artifacts"},
		{"a second end", ended + ended, "frame 3 among the artifacts"},
		{"a status that is none", good(guest.Ended, "true"), "its status: "},
		{"a status of another type", good(guest.Ended, `{"code": "0"}`), "its status: "},
		{"a status too large", good(guest.Ended, `{"problem": "`+strings.Repeat("x", 70_000)+`"}`), "a status of 70"},
		{"less output than it says", good(guest.Stdout, "x") + good(guest.Ended, `{"stdout": 2}`) + done, "1 and 0 bytes of output arrived of 2 and 0"},
		{"artifacts without an end", ended + strings.Repeat(good(guest.Artifacts, strings.Repeat("\x00", guest.MaxPayload)), 200), "more artifacts than were asked for"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, s := fakeBench(t, wants("*"))
			s.Guest = func(ctx context.Context, _ guest.Start, out io.Writer) {
				io.WriteString(out, c.says)
				<-ctx.Done()
			}
			b.create()
			out, err := b.execute(context.Background(), "true")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v; want %q", out, err, c.want)
			}
		})
	}
}

func TestABrokenTarIsRefusedAndNoMore(t *testing.T) {
	for name, says := range map[string]string{"garbage": strings.Repeat("garbage", 200), "cut off": "a", "nothing": ""} {
		b, s := fakeBench(t, wants("*"))
		s.Guest = func(_ context.Context, _ guest.Start, out io.Writer) {
			io.WriteString(out, good(guest.Ended, `{"code": 3}`)+good(guest.Artifacts, says)+good(guest.Done, ""))
		}
		b.create()
		out, err := b.execute(context.Background(), "true")
		if err != nil || out.Failure != event.Test {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		if got := b.kept(); len(got) > 1 || len(got) == 1 && !strings.Contains(got[0], "archive is broken") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A stream that is cut at every byte is taken up where it was lost.
func TestALostConnectionIsTakenUpAtItsOffset(t *testing.T) {
	b, s := fakeBench(t, nil)
	const text = "hello, world\n"
	s.Guest = func(_ context.Context, start guest.Start, out io.Writer) {
		rest := text[start.From.Stdout:]
		if rest == "" {
			io.WriteString(out, good(guest.Ended, fmt.Sprintf(`{"code": 4, "stdout": %d}`, len(text)))+good(guest.Done, ""))
			return
		}
		// One whole frame, and the beginning of another.
		io.WriteString(out, good(guest.Started, "")+good(guest.Stdout, rest[:1])+frame(1, 5, "lost")[:5+len(rest)%5])
	}
	b.create()
	out, err := b.execute(context.Background(), "true")
	if err != nil || out.ExitCode == nil || *out.ExitCode != 4 || b.out.String() != text {
		t.Errorf("%s, %v, %q", describe(out), err, b.out)
	}
}

func TestAMachineThatIsPoweredOffEndsTheJob(t *testing.T) {
	b, s := fakeBench(t, nil)
	s.Guest = func(_ context.Context, _ guest.Start, out io.Writer) {
		io.WriteString(out, good(guest.Started, ""))
		s.PowerOff()
	}
	b.create()
	start := time.Now()
	_, err := b.execute(context.Background(), "true")
	if err == nil || !strings.Contains(err.Error(), "stopped while its command ran") || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestCancelWhileAMachineBoots(t *testing.T) {
	b, s := fakeBench(t, nil)
	s.BootPolls = 1 << 30
	b.create()
	why := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 300*time.Millisecond, why)
	defer cancel()
	start := time.Now()
	if _, err := b.execute(ctx, "true"); !errors.Is(err, why) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}
