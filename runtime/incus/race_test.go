//go:build race

package incus_test

func init() { raceDetector = true }
