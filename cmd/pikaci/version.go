package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/pflag"

	"github.com/sledtools/pikaci/schema/plan"
)

func versionCommand() command {
	return command{
		name:    "version",
		summary: "print the version",
		about: "version prints pikaci's own version, the schema version of the plans that it\n" +
			"writes and reads, and the Go version that built it.",
		examples: []string{"pikaci version", "pikaci --version"},
		flags: func(*pflag.FlagSet) runner {
			return func(_ context.Context, s *session, args []string) error {
				if err := noArguments("version", args); err != nil {
					return err
				}
				return printVersion(s.stdout)
			}
		},
	}
}

func printVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "pikaci %s, plan schema version %d, %s %s/%s\n",
		ownVersion(), plan.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// ownVersion is the module's version as the linker knew it.
func ownVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
