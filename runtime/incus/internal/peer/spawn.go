package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// spawn starts true as often as count says, two at a time, each in a process
// group with a pipe for each of its outputs. In dir, where one is named, it
// makes what stays of a job of a run: a folder with one file.
func spawn(count, dir string) error {
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		return errors.Join(errors.New("spawn: want a number over 0"), err)
	}
	program, err := exec.LookPath("true")
	if err != nil {
		return err
	}
	numbers := make(chan int)
	var all errgroup.Group
	for range 2 {
		all.Go(func() error {
			// Not io.Discard itself, which would take no buffer.
			out := struct{ io.Writer }{io.Discard}
			for i := range numbers {
				if err := start(program, out); err != nil {
					return err
				}
				if err := leave(dir, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	return all.Wait()
}

func start(program string, out io.Writer) error {
	cmd := exec.Command(program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var pipes [2]*os.File
	var copying errgroup.Group
	for i, to := range []*io.Writer{&cmd.Stdout, &cmd.Stderr} {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		defer r.Close()
		*to, pipes[i] = w, w
		copying.Go(func() error { _, err := io.CopyBuffer(out, struct{ io.Reader }{r}, make([]byte, 512)); return err })
	}
	err := cmd.Start()
	pipes[0].Close()
	pipes[1].Close()
	if err == nil {
		err = cmd.Wait()
	}
	return errors.Join(err, copying.Wait())
}

func leave(dir string, i int) error {
	if dir == "" {
		return nil
	}
	job := filepath.Join(dir, strconv.Itoa(i))
	if err := os.Mkdir(job, 0o755); err != nil {
		return err
	}
	tmp := filepath.Join(job, ".result.json")
	if err := os.WriteFile(tmp, []byte("{}\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(job, "result.json"))
}
