// Package compiler turns lane files into a plan, or into diagnostics that say
// where in the lane files what is wrong.
//
// It is the only importer of CUE, and no CUE value outlives its validate
// stage. It reads files and evaluates them; it runs nothing, writes nothing
// and asks no network.
//
// Its stages, and the files that hold them:
//
//	files.go      the folder, its CUE module and the embedded schema as one file system
//	load.go       refuse a schema on disk that is not the embedded one
//	packages.go   parse the package and what it imports
//	places.go     note where each field was written
//	validate.go   evaluate once, under the budget of budget.go
//	walk.go       only for bad files: say field by field what is wrong
//	decode.go     evaluated values to Go data (lanefile.go)
//	check.go      the rules that CUE can't see, all mistakes at once (checklane.go)
//	selection.go  decide of each lane whether it is chosen, and why
//	payload.go    make the payload specs
//	planjobs.go   make the plan's jobs
//	graph.go      wire the nodes
//
// runplanv1.go writes the older plan format, schema.go the schemas.
package compiler
