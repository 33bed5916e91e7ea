package host_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sledtools/pikaci/runtime/host"
)

func TestWhatIsLeftOfAHostJobIsFoundAndEnded(t *testing.T) {
	root := t.TempDir()
	start := func(artifacts string, argv ...string) *exec.Cmd {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "PIKACI_ARTIFACTS="+artifacts)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		return cmd
	}
	left := start(filepath.Join(root, "runs/dead/jobs/j/scratch/artifacts"), "bash", "-c", "sleep 600 & sleep 601")
	start(filepath.Join(root, "runs/live/jobs/j/scratch/artifacts"), "sleep", "602")
	// Not the places of a host job.
	start(filepath.Join(root, "runs/dead/other"), "sleep", "603")
	start("/elsewhere/runs/dead/jobs/j/scratch/artifacts", "sleep", "604")

	if err := host.EndLeft(root, "dead"); err != nil {
		t.Fatal(err)
	}
	left.Wait()
	if s := left.ProcessState.Sys().(syscall.WaitStatus); s.Signal() != syscall.SIGKILL {
		t.Errorf("it ended by %v", s)
	}
	all, err := host.Marked(root)
	if err != nil || len(all) != 1 || all[0].Run != "live" || all[0].Command != "sleep" {
		t.Errorf("%+v, %v", all, err)
	}
	if other, err := host.Marked("/elsewhere"); err != nil || len(other) != 1 {
		t.Errorf("of another state root: %+v, %v", other, err)
	}
}
