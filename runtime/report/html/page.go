package html

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"time"

	"github.com/sledtools/pikaci/runtime/event"
	"github.com/sledtools/pikaci/runtime/record"
	"github.com/sledtools/pikaci/schema/plan"
)

//go:embed built/report.js
var script string

//go:embed built/report.css
var style string

// Run is what a report is made of.
type Run struct {
	Past record.Past
	// Plan is nil where the record has none: then no graph is drawn.
	Plan *plan.Plan
	// Earlier are runs of the same lanes, the newest first.
	Earlier []record.Run
	// Logs gives a job's logs in the order in which they were written, of
	// each only about the last bytes where last is not 0.
	Logs func(job string, last int64, each func(s event.Stream, at time.Time, chunk []byte) error) error
	// Damaged says why the record could not be read to its end.
	Damaged string
	// Setup is the end of what host_setup commands printed.
	Setup []byte
	// Linked says that the page will lie in the run directory, so that links
	// lead to artifacts.
	Linked bool
}

// Write writes the page. What concerns all of it comes first, so that it can be
// seen while logs, which may be long, are still read.
func Write(w io.Writer, r Run) error {
	return write(w, r, ceilings{job: 8 << 20 / pieceBytes, all: 256 << 20 / pieceBytes})
}

func write(w io.Writer, r Run, most ceilings) error {
	data, err := pageOf(r)
	if err != nil {
		return err
	}
	b, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode the report's data: %w", err)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	head(out, r.Past)
	// JSON as Go writes it has no < that could end the element.
	fmt.Fprintf(out, "<script type=\"application/json\" id=\"run\">%s</script>\n", b)
	fmt.Fprintf(out, "<script>%s</script>\n", script)
	if err := writeLogs(out, data, r, most); err != nil {
		return err
	}
	out.WriteString("</body>\n</html>\n")
	return out.Flush()
}

// policy lets the page's own script and style be, and nothing else; no text can
// be made markup.
func policy() string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + hash(script) + "; style-src " + hash(style) +
		"; img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
}

// head writes what comes before the data. Without a script the page says at
// least how the run ended.
func head(w io.Writer, past record.Past) {
	verdict, colour := string(past.Run.Verdict), "#6e7781"
	switch past.Run.Verdict {
	case "":
		verdict = string(past.State)
	case event.Passed, event.Cached:
		colour = "#1a7f37"
	case event.Failed:
		colour = "#cf222e"
	}
	title := html.EscapeString(fmt.Sprintf("%s: run %s", verdict, past.Run.ID))
	icon := base64.StdEncoding.EncodeToString(fmt.Appendf(nil,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="%s"/></svg>`, colour))
	fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<link rel="icon" href="data:image/svg+xml;base64,%s">
<style>%s</style>
</head>
<body>
<noscript><h1>%s</h1><p>%s</p><p>This page needs a script to show the rest; pikaci status prints it.</p></noscript>
`, html.EscapeString(policy()), title, icon, style, title, html.EscapeString(past.Run.Reason))
}
