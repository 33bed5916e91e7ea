// Package archtest holds the project's import table as a test: which package
// may import which of ours, who alone may import a third party, and which
// parts of the standard library a package stays away from.
//
// It has no code of its own; docs/ARCHITECTURE.md draws the same table.
package archtest
