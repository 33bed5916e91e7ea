package event

// Safety is when an event must be on disk.
type Safety int

const (
	// Later: with the next one that must. After a loss of power it may be
	// missing, after a kill it is not.
	Later Safety = iota
	// Soon: when it is appended, or, where many come, a tenth of a second after.
	Soon
	// Now: when it is appended.
	Now
)
