package incus_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	client "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/incus"
	"github.com/sledtools/pikaci/runtime/runtimetest"
	"github.com/sledtools/pikaci/schema/plan"
)

// daemon is an Incus of a test's own, which may be killed.
type daemon struct {
	*runtimetest.Daemon
	t      *testing.T
	socket string
}

// newDaemon starts one with a storage pool of folders and the image of this
// machine's Incus. It is gone after the test, with all that it holds.
func newDaemon(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{Daemon: runtimetest.NewDaemon(t), t: t}
	d.socket = filepath.Join(d.Dir, "unix.socket")
	d.ready()
	s := server(t, d.socket)
	if err := s.CreateStoragePool(api.StoragePoolsPost{Name: "dir", Driver: "dir"}); err != nil {
		t.Fatal(err)
	}
	profile := api.ProfilePut{Devices: map[string]map[string]string{"root": {"type": "disk", "path": "/", "pool": "dir"}}}
	if err := s.UpdateProfile("default", profile, ""); err != nil {
		t.Fatal(err)
	}
	d.copyImage(s)
	return d
}

// copyImage takes the image from this machine's Incus.
func (d *daemon) copyImage(to client.InstanceServer) {
	d.t.Helper()
	from := server(d.t, "")
	alias, _, err := from.GetImageAlias(image)
	if err != nil {
		d.t.Fatalf("%v\nrun scripts/setup", err)
	}
	file, err := os.Create(filepath.Join(d.Dir, "image"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	_, err = from.GetImageFile(alias.Target, client.ImageFileRequest{MetaFile: file})
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	op, err := to.CreateImage(api.ImagesPost{}, &client.ImageCreateArgs{MetaFile: file, MetaName: "image", Type: "container"})
	if err == nil {
		err = op.Wait()
	}
	if err == nil {
		err = to.CreateImageAlias(api.ImageAliasesPost{ImageAliasesEntry: api.ImageAliasesEntry{
			Name: image, ImageAliasesEntryPut: api.ImageAliasesEntryPut{Target: alias.Target}}})
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// ready waits until the daemon answers.
func (d *daemon) ready() {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		s, err := client.ConnectIncusUnix(d.socket, nil)
		if err == nil {
			_, err = s.GetStoragePoolNames()
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("incusd does not answer: %v\n%s", err, d.Log.Tail())
		}
	}
}

// With PIKACI_KILLS=N the daemon is killed N times at random moments.
func TestADaemonThatIsKilledCostsNothing(t *testing.T) {
	d := newDaemon(t)
	t.Run("in the middle of a job", func(t *testing.T) { killedInTheMiddle(t, d) })
	// In the instance's making, update, start, job and deletion.
	moments := []time.Duration{10, 80, 250, 450, 650}
	if n, _ := strconv.Atoi(os.Getenv("PIKACI_KILLS")); n > 0 {
		moments = nil
		for range n {
			moments = append(moments, rand.N[time.Duration](1000))
		}
	}
	for _, after := range moments {
		t.Run(fmt.Sprintf("%d ms after the beginning", after), func(t *testing.T) { killedAfter(t, d, after*time.Millisecond) })
	}
}

func killedAfter(t *testing.T, d *daemon, after time.Duration) {
	b := newBenchAt(t, d.socket, nil)
	b.file("out/f", "payload\n", 0o644)
	b.payload("role", "out", "/staged")
	var again sync.WaitGroup
	again.Go(func() {
		time.Sleep(after)
		d.Kill()
		d.Start()
	})
	if got := b.passes("sleep 0.1; cat /staged/f"); got != "payload\n" {
		t.Errorf("got %q", got)
	}
	if err := b.x.Release(context.Background(), *b.lease); err != nil {
		t.Error(err)
	}
	again.Wait()
	d.ready()
}

func killedInTheMiddle(t *testing.T, d *daemon) {
	b := newBenchAt(t, d.socket, func(j *plan.Job) { j.Artifacts = []string{"*"} })
	b.create()
	const kills = 3
	go func() {
		for i := range kills {
			b.out.Until(t, fmt.Sprintf("line %d\n", 40*i+20))
			d.Kill()
			d.Start()
		}
	}()
	const lines = 40 * (kills + 1)
	out, err := b.execute(context.Background(), "bash", "-c", fmt.Sprintf(
		"echo kept > $PIKACI_ARTIFACTS/a; for i in {1..%d}; do echo line $i; echo error $i >&2; sleep 0.03; done; exit 3", lines))
	if err != nil || out.ExitCode == nil || *out.ExitCode != 3 || out.Failure != event.Test {
		t.Fatalf("%s, %v\n%s", describe(out), err, d.Log.Tail())
	}
	var stdout, stderr strings.Builder
	for i := range lines {
		fmt.Fprintf(&stdout, "line %d\n", i+1)
		fmt.Fprintf(&stderr, "error %d\n", i+1)
	}
	if b.out.String() != stdout.String() || b.errs.String() != stderr.String() {
		t.Errorf("stdout %q\nstderr %q", b.out, b.errs)
	}
	if got := b.kept(); len(got) != 1 || got[0] != "a 5" {
		t.Errorf("artifacts %q", got)
	}
}

// A job that fills its guest's disk ends as its command does: how it ended
// needs room too, which was kept.
func TestAGuestThatFillsItsDisk(t *testing.T) {
	d := newDaemon(t)
	small, err := os.MkdirTemp("", "pikaci-small-")
	if err == nil {
		t.Cleanup(func() { os.Remove(small) })
		err = syscall.Mount("tmpfs", small, "tmpfs", 0, "size=400m,mode=711")
	}
	if err == nil {
		err = os.Mkdir(small+"/pool", 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Kill()
		for _, at := range []string{filepath.Join(d.Dir, "storage-pools/small"), small} {
			syscall.Unmount(at, syscall.MNT_DETACH)
		}
	})
	pool := api.StoragePoolsPost{Name: "small", Driver: "dir", StoragePoolPut: api.StoragePoolPut{Config: map[string]string{"source": small + "/pool"}}}
	if err := server(t, d.socket).CreateStoragePool(pool); err != nil {
		t.Fatal(err)
	}
	const fill = "head -c 1G /dev/zero >$HOME/fill; "
	for _, c := range []struct{ name, script, want, stdout string }{
		{"and can't print", fill + "echo lost && exit 0", "failed test code 1 signal \"\": ", ""},
		{"and says that all is well", fill + "exit 0", "passed  code 0 signal \"\": ", ""},
		{"and makes room", "echo before; " + fill + "rm $HOME/fill; echo after", "passed  code 0 signal \"\": ", "before\nafter\n"},
		{"with what it prints", "head -c 1G /dev/zero >&2", "failed test code 1 signal \"\": ", ""},
		{"with artifacts", "head -c 1G /dev/zero >$PIKACI_ARTIFACTS/f", "failed test code 1 signal \"\": ", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBenchAt(t, d.socket, wants("*"))
			x, err := incus.New(context.Background(), incus.Options{Socket: d.socket, Project: "default", StoragePool: "small"}, *b.job.Job)
			if err != nil {
				t.Fatal(err)
			}
			b.x = x
			b.create()
			began := time.Now()
			out, err := b.execute(context.Background(), "bash", "-c", c.script)
			if took := time.Since(began); took > 40*time.Second {
				t.Errorf("took %s", took)
			}
			if err != nil || describe(out) != c.want || b.out.String() != c.stdout {
				t.Errorf("%s, %v, stdout %q; want %s", describe(out), err, b.out.Tail(), c.want)
			}
		})
	}
}
