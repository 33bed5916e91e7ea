package nix

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sledtools/pikaci/internal/dirlock"
)

// shellsDir holds the rendered development shells of a state root.
func shellsDir(stateRoot string) string { return filepath.Join(stateRoot, "devshells") }

// Shell is a development shell that was rendered.
type Shell struct {
	Derivation string
	// Used is when a run had it last.
	Used time.Time
}

// Shells are the rendered development shells of a state root.
func Shells(stateRoot string) ([]Shell, error) {
	entries, err := os.ReadDir(shellsDir(stateRoot))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []Shell
	for _, e := range entries {
		if !e.IsDir() || e.Name()[0] == '.' {
			continue
		}
		used, lookErr := dirlock.LastUsed(filepath.Join(shellsDir(stateRoot), e.Name()))
		if errors.Is(lookErr, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		err = errors.Join(err, lookErr)
		list = append(list, Shell{e.Name(), used})
	}
	return list, err
}

// RemoveShell removes a rendering, if no run has had it since.
func RemoveShell(stateRoot, derivation string, since time.Time) error {
	l, err := dirlock.TakeUnused(filepath.Join(shellsDir(stateRoot), derivation), since)
	if err != nil {
		return err
	}
	return l.Remove()
}

// PruneShells removes the rests of removals that were cut short, and names of
// shells that no run has asked for since. One that is asked for again costs an
// evaluation.
func PruneShells(stateRoot string, since time.Time) error {
	dir := shellsDir(stateRoot)
	err := dirlock.RemoveHalves(dir)
	entries, listErr := os.ReadDir(dir)
	if listErr != nil && !errors.Is(listErr, fs.ErrNotExist) {
		err = errors.Join(err, listErr)
	}
	for _, e := range entries {
		info, infoErr := e.Info()
		if infoErr != nil || !strings.HasPrefix(e.Name(), shellOf) || info.ModTime().After(since) {
			continue
		}
		if gone := os.Remove(filepath.Join(dir, e.Name())); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
