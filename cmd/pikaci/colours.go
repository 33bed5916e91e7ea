package main

import (
	"io"
	"os"
	"strings"

	"github.com/sledtools/pikaci/runtime/report"
)

// coloured is the one place where it is decided whether what is written to w has
// colours: by the environment, then by whether w is a terminal. NO_COLOR wins
// over CLICOLOR_FORCE.
func coloured(env []string, w io.Writer) bool {
	set := map[string]string{}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		set[name] = value
	}
	if set["NO_COLOR"] != "" {
		return false
	}
	forced := set["CLICOLOR_FORCE"] != "" && set["CLICOLOR_FORCE"] != "0"
	return forced || set["TERM"] != "dumb" && set["CLICOLOR"] != "0" && isTerminal(w)
}

// paint says whether verdicts are coloured that are written to w.
func (s *session) paint(w io.Writer) report.Paint { return report.Paint(coloured(s.env, w)) }

// palette are the terminal's codes; all empty where there is no colour.
type palette struct{ bold, red, yellow, blue, off string }

func colours(env []string, w io.Writer) palette {
	if !coloured(env, w) {
		return palette{}
	}
	return palette{bold: "\x1b[1m", red: "\x1b[31m", yellow: "\x1b[33m", blue: "\x1b[34m", off: "\x1b[0m"}
}

func isTerminal(w io.Writer) bool {
	if kept, ok := w.(*output); ok {
		w = kept.w
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
