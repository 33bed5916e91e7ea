package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

// orphansLimit is how long orphans are killed. A fork bomb may outrun it; what
// it left ends with the guest.
const orphansLimit = 5 * time.Second

// The kernel's numbers, which package syscall does not have.
const (
	prSetChildSubreaper = 36
	idTypeAll           = 0
)

// adopt makes this process the parent of every descendant whose own parent
// ends. No process group or session does: a daemon leaves both.
func adopt() error {
	_, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
	if e != 0 {
		return fmt.Errorf("adopt orphans: %w", e)
	}
	return nil
}

// reapOthers takes the status of adopted children as they end, which init would
// do otherwise: a job may leave any number of them. The command's own status is
// left to who waits for it. It ends when the function that it returns is
// called.
func reapOthers(command int) func() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-ended:
				for pid := zombie(); pid > 0; pid = zombie() {
					if pid == command {
						time.Sleep(time.Millisecond) // soon it is taken
						continue
					}
					syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
				}
			case <-stop:
				return
			}
		}
	}()
	return func() {
		signal.Stop(ended)
		close(stop)
	}
}

// zombie is the pid of a child that has ended and was not waited for, or 0.
func zombie() int {
	// siginfo, as 64-bit architectures have it: the pid stands at byte 16.
	var info [128]byte
	_, _, e := syscall.Syscall6(syscall.SYS_WAITID, idTypeAll, 0, uintptr(unsafe.Pointer(&info)),
		syscall.WEXITED|syscall.WNOHANG|syscall.WNOWAIT, 0, 0)
	if e != 0 {
		return 0
	}
	return int(*(*int32)(unsafe.Pointer(&info[16])))
}

// killOrphans kills all children, and theirs as they become ours, until there
// are none. The command has been waited for.
func killOrphans() {
	for deadline := time.Now().Add(orphansLimit); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if errors.Is(err, syscall.ECHILD) {
				return
			}
			if pid <= 0 {
				break
			}
		}
		for _, pid := range children() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// children are the pids of this process's children.
func children() (pids []int) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	self := []byte(strconv.Itoa(os.Getpid()))
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		// "pid (name) state ppid": the name may hold anything, so the last
		// parenthesis counts.
		stat, _ := os.ReadFile("/proc/" + name + "/stat")
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 1 && bytes.Equal(fields[1], self) {
			pids = append(pids, pid)
		}
	}
	return pids
}
