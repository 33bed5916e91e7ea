package incus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

func TestAWritableWorkspaceIsTheJobsOwnCopy(t *testing.T) {
	b := newBench(t, func(j *plan.Job) { j.WritableWorkspace = true })
	b.file("snapshot/dir/tool", "#!/bin/sh\necho tool\n", 0o755)
	if err := os.Symlink("dir/tool", filepath.Join(b.run.Snapshot, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nosuch", filepath.Join(b.run.Snapshot, "broken")); err != nil {
		t.Fatal(err)
	}
	got := b.passes(`pwd; ./link; readlink link broken; echo more >> hello; cat hello; ` +
		`echo new > dir/new; rm dir/tool; stat -c '%u %a' . dir hello; touch -h broken; id -u`)
	want := "/workspace/snapshot\ntool\ndir/tool\n/nosuch\nhi\nmore\n1000 755\n1000 755\n1000 644\n1000\n"
	if got != want {
		t.Errorf("got %q\nwant %q\nstderr %s", got, want, b.errs)
	}
	if h, _ := os.ReadFile(filepath.Join(b.run.Snapshot, "hello")); string(h) != "hi\n" {
		t.Errorf("the snapshot's file is now %q", h)
	}
	if list, _ := os.ReadDir(filepath.Join(b.run.Snapshot, "dir")); len(list) != 1 || list[0].Name() != "tool" {
		t.Errorf("the snapshot's folder is now %v", list)
	}
	var phases []event.Phase
	for _, e := range b.events {
		if e.PhaseStarted != nil {
			phases = append(phases, e.PhaseStarted.Phase)
		}
	}
	if len(phases) != 4 || phases[2] != event.Workspace || phases[3] != event.Command {
		t.Errorf("phases: %v", phases)
	}
}

func TestASecretIsSeenByNobodyElse(t *testing.T) {
	const secret = "correct-horse-battery"
	b := newBench(t, func(j *plan.Job) { j.Secrets = []string{"TOKEN"} })
	b.job.Secrets = map[string]string{"TOKEN": secret}
	b.create()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan string)
	go func() {
		b.execute(ctx, "bash", "-c", `echo "${#TOKEN} long"; sleep 60`)
		operations, _, err := server(t, "").RawQuery("GET", "/1.0/operations?recursion=1", nil, "")
		if err != nil {
			t.Error(err)
		}
		ended <- string(operations.Metadata)
	}()
	b.out.Until(t, "21 long")
	operations, _, err := server(t, "").RawQuery("GET", "/1.0/operations?recursion=1", nil, "")
	if err != nil || !strings.Contains(string(operations.Metadata), b.name()) {
		t.Fatalf("%v: the job's exec is not among the operations", err)
	}
	if bytes.Contains(operations.Metadata, []byte(secret)) {
		t.Error("operations show it")
	}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range lines {
		if line, _ := os.ReadFile(name); bytes.Contains(line, []byte(secret)) {
			t.Errorf("%s shows it: %q", name, line)
		}
	}
	if found := b.inside("grep -rl correct-hors[e]-battery /var /tmp /run /opt /etc /workspace"); found != "" {
		t.Errorf("files in the guest hold it: %s", found)
	}
	cancel()
	if after := <-ended; strings.Contains(after, secret) {
		t.Error("operations show it afterwards")
	}
	events, err := json.Marshal(b.events)
	if err != nil || bytes.Contains(events, []byte(secret)) {
		t.Errorf("events show it: %v", err)
	}
	filepath.WalkDir(b.run.StateRoot, func(name string, d fs.DirEntry, err error) error {
		if content, _ := os.ReadFile(name); bytes.Contains(content, []byte(secret)) {
			t.Errorf("%s holds it", name)
		}
		return err
	})
}
