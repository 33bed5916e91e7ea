package nix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// pathInfo is what Nix says of a store path.
type pathInfo struct {
	Path       string   `json:"path"`
	NarSize    int64    `json:"narSize"`
	References []string `json:"references"`
}

// inspect asks Nix, once, what an output needs to run and how large it is.
func (x *Executor) inspect(dir, built string) (output, error) {
	argv := x.base("path-info", "--json", "--recursive", built)
	var out bytes.Buffer
	last := &lastError{next: io.Discard}
	if err := command(context.Background(), dir, argv, &out, last); err != nil {
		return output{}, fmt.Errorf("ask for the closure of %s: %w: %s", built, err, last.last)
	}
	paths, err := decodePathInfo(out.Bytes())
	if err != nil {
		return output{}, fmt.Errorf("read the closure of %s: %w", built, err)
	}
	return outputOf(built, paths)
}

// decodePathInfo reads what nix path-info --json prints: a list up to Nix
// 2.18, an object by path since.
func decodePathInfo(b []byte) ([]pathInfo, error) {
	var list []pathInfo
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		err := json.Unmarshal(b, &list)
		return list, err
	}
	var byPath map[string]pathInfo
	if err := json.Unmarshal(b, &byPath); err != nil {
		return nil, err
	}
	for path, info := range byPath {
		info.Path = path
		list = append(list, info)
	}
	return list, nil
}

// outputOf lists the store paths that must be at their own places for the
// output to run, and sums their sizes. The output itself is one of them only
// where it refers to itself, as each is a mount: what it refers to can't refer
// to it.
func outputOf(built string, closure []pathInfo) (output, error) {
	o := output{StorePath: built}
	var needed []string
	found := false
	for _, info := range closure {
		o.ClosureBytes += info.NarSize
		if info.Path == built {
			found, o.Bytes = true, info.NarSize
			if !slices.Contains(info.References, built) {
				continue
			}
		}
		needed = append(needed, info.Path)
	}
	if !found {
		return output{}, errors.New("nix path-info does not name it")
	}
	slices.Sort(needed)
	if len(needed) > 0 {
		o.Closure = strings.Join(needed, "\n") + "\n"
	}
	return o, nil
}
