package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
	"golang.org/x/sync/errgroup"
)

// creates makes stopped containers, as a run does, and deletes them again; only
// the making is measured.
func creates(count, parallel string) error {
	n, err := strconv.Atoi(count)
	p, err2 := strconv.Atoi(parallel)
	if err := errors.Join(err, err2); err != nil || n < 1 || p < 1 {
		return errors.Join(errors.New("creates: want two numbers over 0"), err)
	}
	s, err := incus.ConnectIncusUnix("", &incus.ConnectionArgs{SkipGetEvents: true})
	if err != nil {
		return err
	}
	each := func(limit int, call func(name string) (incus.Operation, error)) error {
		var all errgroup.Group
		all.SetLimit(limit)
		for i := range n {
			all.Go(func() error {
				op, err := call(fmt.Sprintf("peer-%d-%d", os.Getpid(), i))
				if err != nil {
					return err
				}
				return op.Wait()
			})
		}
		return all.Wait()
	}
	began := time.Now()
	err = each(p, func(name string) (incus.Operation, error) {
		return s.CreateInstance(api.InstancesPost{Name: name, Type: api.InstanceTypeContainer,
			Source: api.InstanceSource{Type: "image", Alias: "pikaci/dev"}})
	})
	took := time.Since(began)
	// Those that were not made can't be deleted: that is said once.
	err = errors.Join(err, each(2, func(name string) (incus.Operation, error) { return s.DeleteInstance(name) }))
	if err == nil {
		fmt.Println(took.Milliseconds())
	}
	return err
}

// first runs the program to its end.
func first(word string, argv []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	took := time.Duration(-1)
	lines := bufio.NewReader(out)
	for err == nil && took < 0 {
		var line string
		if line, err = lines.ReadString('\n'); strings.Contains(line, word) {
			took = time.Since(began)
		}
	}
	io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err != nil {
		return err
	}
	if took < 0 {
		return fmt.Errorf("%s never said %q", argv[0], word)
	}
	fmt.Println(took.Milliseconds())
	return nil
}
