package guest_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/sledtools/pikaci/runtime/guest"
)

func TestFramesComeBackAsTheyWereWritten(t *testing.T) {
	var b bytes.Buffer
	payloads := [][]byte{nil, []byte("x"), bytes.Repeat([]byte("y"), guest.MaxPayload)}
	for _, p := range payloads {
		if err := guest.WriteFrame(&b, guest.Stderr, p); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, guest.MaxPayload)
	for _, want := range payloads {
		kind, got, err := guest.ReadFrame(&b, buf)
		if err != nil || kind != guest.Stderr || !bytes.Equal(got, want) {
			t.Errorf("%d, %d bytes, %v; want %d bytes", kind, len(got), err, len(want))
		}
	}
	if _, _, err := guest.ReadFrame(&b, buf); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestWhatIsNoFrame(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"nothing":         {"", io.EOF},
		"half a header":   {"\x01\x00\x00", io.ErrUnexpectedEOF},
		"half a payload":  {"\x01\x00\x00\x00\x05abc", io.ErrUnexpectedEOF},
		"no payload":      {"\x01\x00\x00\x00\x05", io.ErrUnexpectedEOF},
		"kind 0":          {"\x00\x00\x00\x00\x00", guest.ErrFrame},
		"a kind too high": {"\x08\x00\x00\x00\x00", guest.ErrFrame},
		"too long":        {"\x01\x00\x04\x00\x01", guest.ErrFrame},
		"far too long":    {"\x01\xff\xff\xff\xff", guest.ErrFrame},
	} {
		_, _, err := guest.ReadFrame(bytes.NewReader([]byte(c.in)), make([]byte, guest.MaxPayload))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x02hi\x05\x00\x00\x00\x00"))
	f.Add([]byte("\x03\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		var again bytes.Buffer
		buf := make([]byte, guest.MaxPayload)
		for {
			kind, payload, err := guest.ReadFrame(r, buf)
			if err != nil {
				break
			}
			guest.WriteFrame(&again, kind, payload)
		}
		// What was read as frames is what was there.
		if !bytes.HasPrefix(b, again.Bytes()) {
			t.Errorf("%q read as %q", b, again.Bytes())
		}
	})
}
