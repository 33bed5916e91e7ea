package main

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sledtools/pikaci/runtime/guest"
)

// How long to wait for more output: short at first, for the first word and the
// last, and longer where nothing comes.
const (
	shortest = time.Millisecond
	longest  = 20 * time.Millisecond
)

// followAgain follows a job that was started before.
func followAgain(stdin, stdout *os.File) error {
	var o guest.Offsets
	if err := readJSON(stdin, &o); err != nil {
		return errors.New("read the offsets: " + err.Error())
	}
	return follow(stdout, o)
}

// follow writes frames of all that the job writes, from the offsets on, then
// its status and its artifacts. TERM is passed on to the supervisor, once; the
// job's end is waited for all the same.
func follow(w io.Writer, o guest.Offsets) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go func() {
		for range signals {
			if pid := supervisor(); pid > 1 {
				syscall.Kill(pid, syscall.SIGTERM)
			}
		}
	}()
	stdout, err := openTail(stdoutFile, guest.Stdout, o.Stdout)
	if err != nil {
		return err
	}
	stderr, err := openTail(stderrFile, guest.Stderr, o.Stderr)
	if err != nil {
		return err
	}
	if err := tailToEnd(w, stdout, stderr); err != nil {
		return err
	}
	status, err := os.ReadFile(statusFile)
	if err != nil {
		return err
	}
	if err := guest.WriteFrame(w, guest.Ended, status); err != nil {
		return err
	}
	if o.Artifacts {
		if err := sendArtifacts(w); err != nil {
			return err
		}
	}
	return guest.WriteFrame(w, guest.Done, nil)
}

// tail is a file that grows.
type tail struct {
	file *os.File
	kind guest.Kind
	buf  []byte
}

func openTail(name string, k guest.Kind, offset int64) (*tail, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	_, err = f.Seek(offset, io.SeekStart)
	return &tail{file: f, kind: k, buf: make([]byte, guest.HeaderSize+guest.MaxPayload)}, err
}

// send sends what is there, at most one frame, and tells whether there was any.
func (t *tail) send(w io.Writer) (bool, error) {
	n, err := t.file.Read(t.buf[guest.HeaderSize:])
	if n > 0 {
		guest.PutHeader(t.buf, t.kind, n)
		_, err := w.Write(t.buf[:guest.HeaderSize+n])
		return true, err
	}
	if err == io.EOF {
		err = nil
	}
	return false, err
}

func tailToEnd(w io.Writer, tails ...*tail) error {
	wait, begun := shortest, false
	for {
		if !begun && exists(startedFile) {
			begun = true
			if err := guest.WriteFrame(w, guest.Started, nil); err != nil {
				return err
			}
		}
		// Asked before the last look at the output: what was written before
		// the end is never missed.
		over := exists(statusFile) || !alive(supervisor()) && !exists(statusFile)
		more := false
		for _, t := range tails {
			sent, err := t.send(w)
			if err != nil {
				return err
			}
			more = more || sent
		}
		switch {
		case more:
			wait = shortest
		case over && !exists(statusFile):
			return errors.New("the supervisor is gone and left no status" + readTail(supervisorLog))
		case over:
			return nil
		default:
			time.Sleep(wait)
			wait = min(wait*5/4+time.Microsecond, longest)
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// supervisor is the pid of the supervisor, 0 if it is not known.
func supervisor() int {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(b))
	if err != nil {
		return 0
	}
	return pid
}

func alive(pid int) bool {
	return pid > 1 && (syscall.Kill(pid, 0) == nil)
}

func readTail(name string) string {
	b, err := os.ReadFile(name)
	if err != nil || len(b) == 0 {
		return ""
	}
	return ": " + strings.TrimSpace(string(b[max(0, len(b)-500):]))
}

// sendArtifacts sends all files under the artifacts folder as a tar. Symlinks
// are sent as what they are, for the host to refuse; nothing is followed.
func sendArtifacts(w io.Writer) error {
	f := &frameWriter{w: w, kind: guest.Artifacts}
	t := tar.NewWriter(f)
	root, err := os.OpenRoot(artifactsDir)
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what can't be read is not sent
		}
		return sendArtifact(t, root, name, d)
	})
	if err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return f.flush()
}

func sendArtifact(t *tar.Writer, root *os.Root, name string, d fs.DirEntry) error {
	if !d.Type().IsRegular() {
		return t.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: "-"})
	}
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if err := t.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: info.Size(), Mode: 0o644}); err != nil {
		return err
	}
	n, err := io.Copy(t, io.LimitReader(f, info.Size()))
	if err != nil {
		return err
	}
	// A file that shrank under way is filled up: the header said its size.
	_, err = io.CopyN(t, zeros{}, info.Size()-n)
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// frameWriter makes frames of a stream.
type frameWriter struct {
	w    io.Writer
	kind guest.Kind
	buf  []byte
}

func (f *frameWriter) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		n := min(len(p), guest.MaxPayload-len(f.buf))
		f.buf = append(f.buf, p[:n]...)
		p = p[n:]
		if len(f.buf) == guest.MaxPayload {
			if err := f.flush(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

func (f *frameWriter) flush() error {
	if len(f.buf) == 0 {
		return nil
	}
	err := guest.WriteFrame(f.w, f.kind, f.buf)
	f.buf = f.buf[:0]
	return err
}
