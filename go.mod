module github.com/sledtools/pikaci

go 1.26.0

require (
	cuelang.org/go v0.17.1 // indirect
	github.com/bmatcuk/doublestar/v4 v4.10.4 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)
