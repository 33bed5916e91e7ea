package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"github.com/sledtools/pikaci/runtime/guest"
)

// makeWorkspace puts a writable copy of the snapshot in the snapshot's place.
// It is a copy inside the guest and a bind mount over the read-only one: a
// host that refuses to shift ids can't give a writable mount, and whatever
// the job does to the copy, the snapshot stays as it was.
func makeWorkspace(ctx context.Context, uid, gid int) error {
	if err := copyTree(ctx, guest.Snapshot, workspaceDir, uid, gid); err != nil {
		return fmt.Errorf("copy the snapshot: %w", err)
	}
	if err := syscall.Mount(workspaceDir, guest.Snapshot, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the writable copy: %w", err)
	}
	return nil
}

func copyTree(ctx context.Context, from, to string, uid, gid int) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, context.Cause(ctx)); err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			err = os.Mkdir(target, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			var link string
			if link, err = os.Readlink(path); err == nil {
				err = os.Symlink(link, target)
			}
		case d.Type().IsRegular():
			err = copyFile(path, target, d)
		default:
			return nil
		}
		if err != nil {
			return err
		}
		return os.Lchown(target, uid, gid)
	})
}

func copyFile(from, to string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Close())
	if err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

// loopbackUp sets the loopback interface up. A guest without a network has one
// that is down, and tests listen on it. Failing is no reason not to run: a
// guest whose init did it refuses nobody.
func loopbackUp() {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return
	}
	defer syscall.Close(s)
	var request struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], "lo")
	request.flags = syscall.IFF_UP | syscall.IFF_RUNNING
	syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
}
