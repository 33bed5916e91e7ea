package html

import "io"

// WriteOf is Write with other ceilings: so many pieces of a job, and of all.
func WriteOf(w io.Writer, r Run, job, all int) error { return write(w, r, ceilings{job, all}) }
