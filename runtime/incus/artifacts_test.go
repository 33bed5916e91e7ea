package incus_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/schema/plan"
)

func wants(globs ...string) func(*plan.Job) {
	return func(j *plan.Job) { j.Artifacts = globs }
}

// kept are the artifacts that events tell of, sorted, each with its size or
// why it was refused; it fails where the folder holds others.
func (b *bench) kept() []string {
	b.t.Helper()
	var told, there, all []string
	for _, e := range b.events {
		switch a := e.Artifact; {
		case a == nil:
		case a.Refused != "":
			all = append(all, a.Path+": "+a.Refused)
		default:
			told = append(told, a.Path)
			all = append(all, fmt.Sprintf("%s %d", a.Path, a.Bytes))
		}
	}
	fs.WalkDir(os.DirFS(b.job.ArtifactsDir()), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			there = append(there, name)
		}
		return nil
	})
	slices.Sort(told)
	slices.Sort(all)
	if !slices.Equal(told, there) {
		b.t.Errorf("events tell of %v, the folder holds %v", told, there)
	}
	return all
}

func TestArtifactsThatAreAskedForComeBack(t *testing.T) {
	const make = `cd "$PIKACI_ARTIFACTS"; mkdir -p logs/deep; echo 1 > a.xml; echo 22 > logs/b.log; ` +
		`echo 333 > logs/deep/c.log; echo no > d.bin; : > logs/empty.log; `
	want := []string{"a.xml 2", "logs/b.log 3", "logs/deep/c.log 4", "logs/empty.log 0"}
	for _, c := range []struct {
		name, end string
		verdict   event.Failure
	}{{"passed", "true", ""}, {"failed", "exit 1", event.Test}, {"timeout", "sleep 60", event.Timeout}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(j *plan.Job) { j.Artifacts, j.TimeoutSecs = []string{"*.xml", "logs/**/*.log"}, 2 })
			if out := b.sh(make + c.end); out.Failure != c.verdict {
				t.Errorf("%+v", out)
			}
			if got := b.kept(); !slices.Equal(got, want) {
				t.Errorf("got %q", got)
			}
			if content, _ := os.ReadFile(filepath.Join(b.job.ArtifactsDir(), "logs/b.log")); string(content) != "22\n" {
				t.Errorf("content %q", content)
			}
		})
	}
}

func TestArtifactsThatAreNoneAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"symlinks", `ln -s /etc/passwd link; ln -s . self; ln -s nosuch broken; echo 1 > ok`,
			[]string{"broken: not a regular file", "link: not a regular file", "ok 2", "self: not a regular file"}},
		{"special files", `mkfifo pipe; echo 1 > ok`,
			[]string{"ok 2", "pipe: not a regular file"}},
		{"too large", `head -c 700000 /dev/zero > a; head -c 700000 /dev/zero > b; truncate -s 1T c; echo 1 > d`,
			[]string{"a 700000", "b: over the runner's ceiling of 1048576 bytes or 20 files",
				"c: over the runner's ceiling of 1048576 bytes or 20 files", "d 2"}},
		{"names that break lines", "echo 1 > $'two\\nlines'; echo 1 > $'\\xff'; echo 1 > 'a\\b'; echo 1 > ok",
			[]string{"?: can't be read", "a\\b: not a clean path inside the artifacts folder", "ok 2",
				"two\nlines: not a clean path inside the artifacts folder"}},
		{"no folder any more", `cd /; rm -rf "$(readlink -f "$PIKACI_ARTIFACTS")"`, nil},
		{"a folder that is a link", `cd /; d=$(readlink -f "$PIKACI_ARTIFACTS"); rm -rf "$d"; ln -s /etc "$d"; ls "$d/passwd" >/dev/null`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(j *plan.Job) { j.Artifacts, j.User = []string{"*"}, 0 })
			b.passes("cd $PIKACI_ARTIFACTS; " + c.script)
			got := b.kept()
			if c.name == "a folder that is a link" { // the guest's own files: no harm
				return
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAFileThatGrowsWhileItIsSentIsCutOff(t *testing.T) {
	b := newBench(t, wants("*"))
	b.passes(`cd $PIKACI_ARTIFACTS; echo begun > grows; setsid bash -c 'while :; do echo more; done >> grows' & sleep 0.2`)
	if got := b.kept(); len(got) != 1 || strings.Contains(got[0], "broken") {
		t.Errorf("got %q", got)
	}
}

func TestManyArtifacts(t *testing.T) {
	b := newBench(t, wants("**"))
	b.job.Limits.ArtifactFiles = 3000
	b.passes(`cd $PIKACI_ARTIFACTS; for i in {1..5000}; do : > $i; done`)
	kept, refused := 0, 0
	for _, e := range b.events {
		switch {
		case e.Artifact != nil && e.Artifact.Refused == "":
			kept++
		case e.Artifact != nil:
			refused++
		}
	}
	if kept != 3000 || refused != 100 {
		t.Errorf("%d kept, %d refused", kept, refused)
	}
}

func TestAnotherAttemptKeepsTheArtifactsOfTheFirst(t *testing.T) {
	b := newBench(t, wants("*"))
	for attempt := 1; attempt <= 2; attempt++ {
		b.create()
		task := b.task(&plan.Node{ID: plan.ExecuteID(b.job.Job.ID), GuestCommand: &plan.GuestCommand{
			Job: b.job.Job.ID, Command: []string{"bash", "-c", fmt.Sprintf("echo %d > $PIKACI_ARTIFACTS/n", attempt)}}})
		task.Attempt = attempt
		if out, err := b.x.Execute(context.Background(), task); err != nil || out.Verdict != event.Passed {
			t.Fatalf("%+v, %v", out, err)
		}
		if err := b.x.Release(context.Background(), *b.lease); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := os.ReadFile(b.job.ArtifactsDir() + ".1/n")
	second, _ := os.ReadFile(b.job.ArtifactsDir() + "/n")
	if string(first) != "1\n" || string(second) != "2\n" {
		t.Errorf("first %q, second %q", first, second)
	}
}
