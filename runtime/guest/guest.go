// Package guest is what the host and the small program inside a guest say to
// each other: one request, then frames. Whoever reads trusts nothing of it.
//
// It imports the standard library only, and no network.
package guest

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Places inside a guest. They are not under /run: a guest's init may mount
// over it, and it may be memory.
const (
	// ProgramDir is where the host mounts the program, read-only.
	ProgramDir = "/opt/pikaci"
	// Program is the program itself.
	Program = ProgramDir + "/pikaci-guest"
	// Dir holds the job's output, status, home and artifacts.
	Dir = "/var/lib/pikaci"
	// RunDir is a link to Dir, for the places that jobs are told of.
	RunDir = "/run/pikaci"
	// RunnerDir holds the files of a runner that the image brings.
	RunnerDir = Dir + "/runner"
	// Snapshot is where the host mounts the snapshot, read-only.
	Snapshot = "/workspace/snapshot"
)

// Request is a command to run, on the program's stdin: JSON.
type Request struct {
	Argv []string `json:"argv"`
	// Env is the whole environment but PATH and HOME, which the guest knows.
	Env map[string]string `json:"env"`
	// User is the uid; the gid is the user's own, or the same number.
	User       int           `json:"user"`
	WorkingDir string        `json:"working_dir"`
	Timeout    time.Duration `json:"timeout"`
	// Writable makes the snapshot a writable copy for the job.
	Writable bool `json:"writable"`
	// Runner is a program of the image that is to run the command; empty: the
	// guest program does.
	Runner string `json:"runner,omitempty"`
	// Secrets are names in Env that a runner finds in a file of their own.
	Secrets []string `json:"secrets,omitempty"`
}

// Start is what the program reads: what to run, and from where to follow it.
// A job that was started before is not started again, only followed: so a host
// that lost the connection says the same once more.
type Start struct {
	Request Request `json:"request"`
	From    Offsets `json:"from"`
	// Artifacts asks for a tar of artifacts after the job's end.
	Artifacts *Wanted `json:"artifacts,omitempty"`
}

// Offsets are how much of the output has arrived, in bytes.
type Offsets struct {
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
	// Events are a runner's.
	Events int64 `json:"events,omitempty"`
}

// Wanted are the artifacts that the host takes. It holds the guest to it: this
// only spares both the sending of what would be refused.
type Wanted struct {
	Globs []string `json:"globs"`
	Bytes int64    `json:"bytes"`
	Files int      `json:"files"`
}

// What a tar of artifacts has as an entry's type for a file that is not sent.
const (
	NotRegular = tar.TypeSymlink
	TooMuch    = tar.TypeChar
	Unreadable = tar.TypeFifo
)

// MaxNotSent is how many files a guest tells of that it does not send.
const MaxNotSent = 1000

// Status is how the job ended.
type Status struct {
	Code     int    `json:"code"`
	Signal   string `json:"signal,omitempty"`
	TimedOut bool   `json:"timed_out,omitempty"`
	// Problem says why the command could not be started.
	Problem string `json:"problem,omitempty"`
	// Cancelled says that it was stopped because the host asked.
	Cancelled bool `json:"cancelled,omitempty"`
	// Broken says why the guest could not run it at all.
	Broken string `json:"broken,omitempty"`
	// Stdout and Stderr are the bytes that it wrote: who has fewer has lost
	// some.
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
}

// Kind says what a frame holds.
type Kind byte

// The frames. Output comes in any order, then one status, then the artifacts
// as a tar, cut anywhere, if they were asked for, then the end.
const (
	Stdout    Kind = 1
	Stderr    Kind = 2
	Ended     Kind = 3
	Artifacts Kind = 4
	Done      Kind = 5
	// Started says that the job's workspace is ready and its command runs.
	Started Kind = 6
	// Events are what a runner of the image says of its work.
	Events Kind = 7
)

// HeaderSize is of a frame: its kind and the length of what follows.
const HeaderSize = 5

// MaxPayload is the largest payload of a frame.
const MaxPayload = 256 << 10

// MaxStatus is the largest status, in bytes.
const MaxStatus = 64 << 10

// PutHeader writes a frame's header into b.
func PutHeader(b []byte, k Kind, length int) {
	b[0] = byte(k)
	binary.BigEndian.PutUint32(b[1:HeaderSize], uint32(length))
}

// WriteFrame writes one frame.
func WriteFrame(w io.Writer, k Kind, payload []byte) error {
	b := make([]byte, HeaderSize+len(payload))
	PutHeader(b, k, len(payload))
	copy(b[HeaderSize:], payload)
	_, err := w.Write(b)
	return err
}

// ErrFrame means that what was read is no frame: a guest that lies.
var ErrFrame = errors.New("not a frame")

// ReadFrame reads one frame into buf, which has room for MaxPayload, and
// returns its payload. io.EOF means that the stream ended between frames.
func ReadFrame(r io.Reader, buf []byte) (Kind, []byte, error) {
	if _, err := io.ReadFull(r, buf[:HeaderSize]); err != nil {
		return 0, nil, err
	}
	k, n := Kind(buf[0]), binary.BigEndian.Uint32(buf[1:HeaderSize])
	if k < Stdout || k > Events || n > MaxPayload {
		return 0, nil, fmt.Errorf("%w: kind %d of %d bytes", ErrFrame, k, n)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return k, buf[:n], nil
}
