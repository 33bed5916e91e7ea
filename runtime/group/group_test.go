package group_test

import (
	"bufio"
	"os"
	"os/exec"
	"testing"

	"github.com/sledtools/pikaci/runtime/group"
)

func TestAGroupIsHeldOnce(t *testing.T) {
	dir := t.TempDir()
	a, b := &group.Locks{Dir: dir, Holder: "run a"}, &group.Locks{Dir: dir, Holder: "run b"}
	held, _, err := a.Take("android")
	if err != nil || held == nil {
		t.Fatal(err)
	}
	if got, holder, err := b.Take("android"); got != nil || holder != "run a" || err != nil {
		t.Errorf("%t, %q, %v", got != nil, holder, err)
	}
	other, _, err := b.Take("../android")
	if err != nil || other == nil {
		t.Errorf("another group: %v", err)
	}
	held()
	if got, _, err := b.Take("android"); got == nil || err != nil {
		t.Errorf("after its release: %t, %v", got != nil, err)
	}
}

// TestMain holds a group until it is killed, when asked to.
func TestMain(m *testing.M) {
	if dir := os.Getenv("HOLD_GROUP_IN"); dir != "" {
		held, _, err := (&group.Locks{Dir: dir, Holder: "the child"}).Take("android")
		if held == nil || err != nil {
			os.Exit(1)
		}
		os.Stdout.WriteString("held\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestAGroupOfAKilledProcessIsFree(t *testing.T) {
	locks := &group.Locks{Dir: t.TempDir(), Holder: "the test"}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "HOLD_GROUP_IN="+locks.Dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatal(line, err)
	}
	if held, holder, err := locks.Take("android"); held != nil || holder != "the child" || err != nil {
		t.Errorf("%t, %q, %v", held != nil, holder, err)
	}
	child.Process.Kill()
	child.Wait()
	if held, _, err := locks.Take("android"); held == nil || err != nil {
		t.Errorf("after its death: %t, %v", held != nil, err)
	}
}
