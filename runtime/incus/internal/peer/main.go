// Command peer is what scripts/bench holds pikaci against.
//
//	peer loop SOURCE NAMES COMMAND ARG...
//	                             a command in one container by the least of API
//	                             calls: create with a mount of SOURCE/NAME each
//	                             (NAMES has commas), start, exec, stop, delete
//	peer count PROGRAM ARG...    run a program against a counting proxy of the
//	                             Incus socket; {socket} in an ARG is its place
//	peer creates COUNT PARALLEL  create as many containers, so many at a time, and
//	                             print how long that took, in milliseconds
//	peer first WORD PROGRAM ARG...
//	                             run a program and print how long it took until
//	                             its output had the word, in milliseconds
//	peer memory PROGRAM ARG...   run a program and print its peak memory, in KiB
//	peer spawn COUNT [DIR]       start true so often, two at a time, and leave a
//	                             folder with a file of each in DIR
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

func main() {
	var err error
	switch {
	case len(os.Args) > 4 && os.Args[1] == "loop":
		err = loop(os.Args[2], strings.Split(os.Args[3], ","), os.Args[4:])
	case len(os.Args) > 2 && os.Args[1] == "count":
		err = count(os.Args[2:])
	case len(os.Args) == 4 && os.Args[1] == "creates":
		err = creates(os.Args[2], os.Args[3])
	case len(os.Args) > 3 && os.Args[1] == "first":
		err = first(os.Args[2], os.Args[3:])
	case len(os.Args) > 2 && os.Args[1] == "memory":
		err = memory(os.Args[2:])
	case len(os.Args) == 3 && os.Args[1] == "spawn":
		err = spawn(os.Args[2], "")
	case len(os.Args) == 4 && os.Args[1] == "spawn":
		err = spawn(os.Args[2], os.Args[3])
	default:
		err = errors.New("usage: peer loop SOURCE NAMES COMMAND ARG... | peer creates COUNT PARALLEL | peer first WORD PROGRAM ARG... | peer count|memory PROGRAM ARG... | peer spawn COUNT [DIR]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

// loop makes the calls that running one command in a container takes, and
// nothing else: no record, no mark, no check. What the command prints, it prints.
func loop(source string, names, command []string) error {
	s, err := incus.ConnectIncusUnix("", &incus.ConnectionArgs{SkipGetEvents: true})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("peer-%d", os.Getpid())
	wait := func(op incus.Operation, err error) error {
		if err != nil {
			return err
		}
		return op.Wait()
	}
	put := api.InstancePut{Devices: api.DevicesMap{}, Config: api.ConfigMap{"limits.cpu": "1", "limits.memory": "512MiB"}}
	for _, mount := range names {
		put.Devices[mount] = map[string]string{"type": "disk", "source": filepath.Join(source, mount), "path": "/peer/" + mount, "readonly": "true"}
	}
	err = wait(s.CreateInstance(api.InstancesPost{Name: name, Type: api.InstanceTypeContainer, InstancePut: put,
		Source: api.InstanceSource{Type: "image", Alias: "pikaci/dev"}}))
	if err != nil {
		return err
	}
	done := make(chan bool)
	return errors.Join(
		wait(s.UpdateInstanceState(name, api.InstanceStatePut{Action: "start", Timeout: -1}, "")),
		wait(s.ExecInstance(name, api.InstanceExecPost{Command: command, WaitForWS: true},
			&incus.InstanceExecArgs{Stdout: os.Stdout, DataDone: done})),
		wait(s.UpdateInstanceState(name, api.InstanceStatePut{Action: "stop", Timeout: -1, Force: true}, "")),
		wait(s.DeleteInstance(name)),
	)
}

// count runs the program and prints how many HTTP requests it made, upgrades to
// websockets included.
func count(argv []string) error {
	dir, err := os.MkdirTemp("", "peer")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	var requests atomic.Int64
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			requests.Add(1)
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "incus"
		},
		// incusd accepts nobody while a connection is silent, as one may be that
		// is kept for later.
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", "/var/lib/incus/unix.socket")
		}},
		FlushInterval: -1,
	}
	go http.Serve(listener, proxy)
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "{socket}", socket)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	fmt.Println(requests.Load())
	return nil
}

// memory runs the program and prints the most memory that it had at one time.
func memory(argv []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	fmt.Println(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
	return nil
}
