// Package report shows a run: to a person line by line while it goes on, to a
// program as JSON lines, and as a table at its end. All of them are readers of
// the run's events and of its record; none can change a run or slow it down.
package report
