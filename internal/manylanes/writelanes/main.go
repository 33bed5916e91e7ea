// Command writelanes writes a made-up lane package of any size into a folder,
// for scripts/bench: writelanes SHAPE N DIR.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/sledtools/pikaci/internal/manylanes"
)

func main() {
	if err := write(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "writelanes:", err)
		os.Exit(1)
	}
}

func write(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want three arguments: %s or %s, the number of lanes, a folder",
			manylanes.FileEach, manylanes.OneFile)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	files, err := manylanes.Package(manylanes.Shape(args[0]), n)
	if err != nil {
		return err
	}
	for name, content := range files {
		at := filepath.Join(args[2], filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
